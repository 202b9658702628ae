// The decoding loop of one answer.
#pragma once

#include "engine/prefill.h"
#include "engine/token_chooser.h"
#include "vl3/engine.h"

namespace vl3::engine {

struct GenerateResult {
  std::string text;
  std::vector<int64_t> token_ids;
  std::string finish_reason;
  bool constraint_met = true;                 ///< the text satisfies the constraint, or there was none
  double first_token_seconds = 0;             ///< from the call of generate()
  int64_t num_drafted = 0, num_accepted = 0;  ///< tokens guessed (prompt_lookup.h), and those that were right
};

/// The constraint of the answer, compiled; nullopt without one. @throws as sampling::Constraint's compilers.
std::optional<sampling::Matcher> make_matcher(const Runtime& runtime, const GenerationConfig& config);

/// Continues the sequence in `cache` after `prefilled`. Tokens that were fed back are appended to `keys`.
/// @param matcher  make_matcher() of the same config.
GenerateResult generate(const Runtime& runtime, lm::KvCache& cache, const PrefillResult& prefilled,
                        const GenerationConfig& config, std::optional<sampling::Matcher> matcher,
                        const Callbacks& callbacks, std::vector<uint64_t>& keys);

/// @throws Error(kInvalidArgument) for values out of range, more than one constraint, or a constraint with
/// ignore_eos.
void validate(const GenerationConfig& config, const weights::ModelConfig& model);

}  // namespace vl3::engine
