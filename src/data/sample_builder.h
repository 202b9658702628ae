// A record to a training sample: media opened, sampled, resized and pruned by the code that `ask` uses, text
// labelled, everything cut to model_max_length. Immutable; build() may run in several threads at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "data/bad_sample.h"
#include "data/data_config.h"
#include "data/dialogue_labels.h"
#include "data/record.h"
#include "data/record_parser.h"
#include "data/sample.h"
#include "preprocess/media_set.h"
#include "preprocess/request_plan.h"
#include "text/tokenizer.h"
#include "weights/model_config.h"

namespace vl3::data {

class SampleBuilder {
 public:
  /// @param tokenizer  of the model; shared by all threads.
  /// @param limits  of media; their time-out should not be above sample_timeout_s.
  /// @throws Error(kInvalidArgument) for settings that cannot be honoured.
  SampleBuilder(const weights::ModelConfig& model, std::shared_ptr<const text::Tokenizer> tokenizer,
                const DataConfig& data, const media::MediaLimits& limits = {});

  /// @param cancelled  looked at between frames; then Error(kCancelled).
  /// @throws BadSample, its reason beginning with the record's place; Error(kCancelled), Error(kInternal).
  /// Source: golden_train/README.md "Rules"; spec/training.md 3, 4, 6.
  Sample build(const Record& record, const std::atomic<bool>* cancelled = nullptr) const;

  /// About how many tokens build() will give before pruning, from headers and the length of the text; nothing
  /// is decoded and no video is read through. The same in every process. 1 for a record that is bad.
  int64_t estimate_tokens(const Record& record) const;

  /// What preprocessing goes by: the model's settings with the recipe's in their place.
  const weights::PreprocessConfig& preprocess() const { return preprocess_; }

 private:
  struct Opened;
  /// The dialogue's tokens up to the cut without pruned ones. The cut counts every visual token; pruning,
  /// which has looked at whole videos, takes out its own afterwards.
  void take_kept(const LabelledDialogue& dialogue, Sample* sample) const;
  Sample build_checked(const Record& record, const std::atomic<bool>* cancelled, std::string* id) const;
  ParsedRecord parse(const RecordContent& content, std::string* id = nullptr) const;
  preprocess::MediaSetOptions media_options(const RecordContent& content) const;
  /// The frames of one video, each a message of its own before what was said after it was seen.
  void open_stream(const ParsedRecord& record, const preprocess::MediaSetOptions& options, Opened* out) const;
  Opened open(ParsedRecord record, const RecordContent& content) const;
  void check_length(const LabelledDialogue& dialogue, const Opened& opened) const;
  std::vector<VisualMedium> decode(const Opened& opened, const std::atomic<bool>* cancelled) const;

  weights::PreprocessConfig preprocess_;
  LabelOptions labels_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  DataConfig data_;
  media::MediaLimits limits_;
  bool cut_ = false;
};

}  // namespace vl3::data
