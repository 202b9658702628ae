// From logits to a token: penalties, temperature, top-k, top-p, min-p, softmax, one draw. transformers'
// rules, in its order. Nothing here knows a model, a device or text. One Sampler serves one sequence and is
// not thread-safe.
//
// Shapes: V = rows of the output head (with the rows behind the tokenizer's last id).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

namespace vl3::sampling {

/// Every default is "off"; a default-made SamplingOptions draws from the plain softmax.
struct SamplingOptions {
  double temperature = 1.0;  ///< logits are divided by it; 0 = greedy; >= 0
  int64_t top_k = 0;         ///< keep the k most likely tokens and those equal to the k-th; 0 = off
  double top_p = 1.0;        ///< keep the smallest set of most likely tokens that reaches p; 0..1, 1 = off
  double min_p = 0.0;        ///< drop tokens under min_p * the likeliest one's probability; 0..1, 0 = off
  double repetition_penalty = 1.0;  ///< score < 0 ? score * r : score / r, once a distinct seen id; > 0
  bool penalise_prompt = true;     ///< do prompt ids count as seen: true = native flow, false = official flow
  double frequency_penalty = 0.0;  ///< OpenAI: taken off a score for every time its id was generated; -2..2
  double presence_penalty = 0.0;   ///< OpenAI: taken off a score once its id was generated; -2..2
  std::map<int64_t, double> logit_bias = {};  ///< OpenAI: added to these ids' logits first; each -100..100
  uint64_t seed = 0;                          ///< equal seeds and equal logits give equal tokens
};

/// @throws Error(kInvalidArgument) naming the option, its value and its range; NaN and infinities are
/// refused.
void validate(const SamplingOptions& options);

struct Candidate {
  int64_t id;
  float probability;
};

class Sampler {
 public:
  /// @throws Error(kInvalidArgument) as validate().
  explicit Sampler(SamplingOptions options);

  /// The prompt's ids, for the repetition penalty (only where penalise_prompt). Negative ids are skipped:
  /// they stand for positions without a token.
  void accept_prompt(std::span<const int64_t> ids);

  /// A token that now belongs to the answer, whoever chose it. Also moves the draw on: token n of an answer
  /// is always drawn with the n-th number of its seed, so speculation and preemption don't change what is
  /// drawn.
  void accept(int64_t id);

  /// Takes the last `count` accept() back. @throws Error(kInvalidArgument) when there were fewer.
  void rollback(int64_t count);

  /// Chooses the next token; does not accept() it. Greedy takes the highest score, the lowest id among
  /// equals.
  /// @param logits [V], overwritten (biased and penalised). -inf = masked out.
  /// @throws Error(kInternal) for NaN, +inf (names id and value) or when everything is masked;
  ///   Error(kInvalidArgument) for a logit_bias id outside 0..V-1.
  int64_t sample(std::span<float> logits);

  /// What sample() draws from: every token with a non-zero chance, by ascending id; probabilities sum to 1.
  /// Greedy: the one token. @param logits, @throws as sample().
  std::vector<Candidate> distribution(std::span<float> logits) const;

  const SamplingOptions& options() const { return options_; }

 private:
  void penalise(std::span<float> logits) const;

  SamplingOptions options_;
  std::unordered_map<int64_t, int64_t> seen_;       ///< id → times, prompt (where it counts) and answer
  std::unordered_map<int64_t, int64_t> generated_;  ///< id → times, answer only
  std::vector<int64_t> answer_;
};

/// Number `index` of stream `seed`, in [0, 1) with 53 random bits, the same on every platform: SplitMix64 by
/// counter, so any number can be asked for directly. Source: Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", 2014.
double uniform(uint64_t seed, uint64_t index);

struct TokenLogprob {
  int64_t id;
  float logprob;
};

struct Logprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  ///< most likely first, lower id first among equals
};

/// Natural-log probabilities of the raw distribution (before bias, penalties, temperature and masks: call it
/// before sample()), for the API's `logprobs`.
/// @param top_n  0..V wanted; fewer come back where fewer tokens are possible.
/// @throws Error(kInternal) as sample(); Error(kInvalidArgument) when `chosen` or `top_n` is outside its
/// range.
Logprobs raw_logprobs(std::span<const float> logits, int64_t chosen, int64_t top_n);

}  // namespace vl3::sampling
