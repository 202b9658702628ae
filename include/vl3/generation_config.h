// How an answer is generated. Unset fields take the checkpoint's generation_config.json. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vl3 {

struct GenerationConfig {
  // ---- what is drawn
  std::optional<double> temperature;         ///< 0 = greedy
  std::optional<double> top_p;               ///< 0..1
  std::optional<int64_t> top_k;              ///< 0 = off
  std::optional<double> min_p;               ///< 0..1
  std::optional<double> repetition_penalty;  ///< > 0; scope as the flow has it unless penalise_prompt is set
  std::optional<bool> penalise_prompt;  ///< count prompt ids as seen (native flow) or not (official flow)
  double frequency_penalty = 0;  ///< OpenAI: taken off a score for every time its id was generated; -2..2
  double presence_penalty = 0;   ///< OpenAI: taken off a score once its id was generated; -2..2
  std::map<int64_t, double> logit_bias = {};  ///< OpenAI: added to these ids' logits first; each -100..100
  uint64_t seed = 0;                          ///< equal seeds give equal answers
  /// Tokens guessed at once from what stood in prompt and answer before, and checked in one pass; 0 = off, at
  /// most 7. The answer stays the same up to rounding. Unset: 7 for models of which a step mostly reads
  /// weights.
  std::optional<int64_t> prompt_lookup_num_tokens;

  // ---- when it ends
  int64_t max_tokens = 1024;
  int64_t min_tokens = 0;               ///< no end-of-sequence token before so many; 0..max_tokens
  std::vector<std::string> stop;        ///< strings that end the answer and are left out of it
  std::vector<int64_t> stop_token_ids;  ///< end the answer as an end-of-sequence token does
  bool ignore_eos = false;              ///< goes on past the end-of-sequence token (benchmarks)
  bool skip_special_tokens = true;      ///< special tokens are not part of the text
  bool loop_guard =
      false;  ///< ends an answer that repeats one span over and over, with finish reason "repetition"

  // ---- what it may be; at most one
  std::string json_schema;  ///< JSON text
  bool json_object = false;
  std::string regex;
};

}  // namespace vl3
