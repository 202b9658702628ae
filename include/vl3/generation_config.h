// How an answer is generated. Unset fields take the checkpoint's generation_config.json. Plain data.
#pragma once

#include <cstdint>
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
  uint64_t seed = 0;                    ///< equal seeds give equal answers

  // ---- when it ends
  int64_t max_tokens = 1024;
  std::vector<std::string> stop;  ///< strings that end the answer and are left out of it
  bool ignore_eos = false;        ///< goes on past the end-of-sequence token (benchmarks)
  bool loop_guard =
      false;  ///< ends an answer that repeats one span over and over, with finish reason "repetition"

  // ---- what it may be; at most one
  std::string json_schema;  ///< JSON text
  bool json_object = false;
  std::string regex;
};

}  // namespace vl3
