// The decoding loop: logits, constraint, sampling, stop rules, streamed text.
#pragma once

#include "engine/prefill.h"
#include "vl3/engine.h"

namespace vl3::engine {

struct GenerateResult {
  std::string text;
  std::vector<int64_t> token_ids;
  std::string finish_reason;
  double first_token_seconds = 0;  ///< from the call of generate()
};

/// Continues the sequence in `cache` after `prefilled`. Tokens that were fed back are appended to `keys`.
GenerateResult generate(const Runtime& runtime, lm::KvCache& cache, const PrefillResult& prefilled,
                        const GenerationConfig& config, const Callbacks& callbacks,
                        std::vector<uint64_t>& keys);

/// @throws Error(kInvalidArgument) for values out of range or more than one constraint.
void validate(const GenerationConfig& config, const weights::ModelConfig& model);

}  // namespace vl3::engine
