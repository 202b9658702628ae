// One token after the other from logits: constraint, sampling, stop rules, streamed text. What an answer
// alone and an answer in a batch share. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sampling/constraint.h"
#include "sampling/sampler.h"
#include "sampling/stop.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "vl3/generation_config.h"
#include "weights/model_config.h"

namespace vl3::engine {

/// The config with the checkpoint's generation defaults where it says nothing.
sampling::SamplingOptions sampling_options(const GenerationConfig& config, const weights::ModelConfig& model);
sampling::StopOptions stop_options(const GenerationConfig& config, const weights::ModelConfig& model);

class TokenChooser {
 public:
  /// @param tokenizer  outlives this object. @param matcher  make_matcher() of the same config.
  TokenChooser(const GenerationConfig& config, const weights::ModelConfig& model,
               const text::Tokenizer& tokenizer, std::optional<sampling::Matcher> matcher);

  /// Once, before the first token.
  void accept_prompt(std::span<const int64_t> ids) { sampler_.accept_prompt(ids); }

  struct Choice {
    int64_t id = 0;
    bool ends = false;  ///< one of the ids that end the answer
    sampling::StopCondition::Step step;
  };
  /// @param logits  [V], overwritten.
  Choice choose(std::span<float> logits);

  /// Ends the answer from outside. @return the text that was held back, the beginning of a character as
  /// U+FFFD;
  /// "" of an answer that had ended.
  std::string finish(sampling::FinishReason reason);
  /// The text satisfies the constraint, or there is none.
  bool constraint_met() const { return !matcher_ || matcher_->is_terminated() || matcher_->is_complete(); }

 private:
  std::optional<sampling::Matcher> matcher_;
  sampling::Sampler sampler_;
  sampling::StopCondition stop_;
  text::StreamDecoder decoder_;
  std::vector<int64_t> ending_;
};

}  // namespace vl3::engine
