// Prompt look-up speculation: what followed the last tokens where they stood before is guessed to follow
// again, and checked by the model in one pass over several rows. Token n of an answer is drawn with the n-th
// number of its seed whoever proposed it (sampling::Sampler), so an accepted guess is the token that would
// have been drawn anyway: greedy answers and the distribution of sampled ones stay what they are. Source:
// Saxena, "Prompt Lookup Decoding", 2023; transformers' prompt_lookup_num_tokens.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace vl3::engine {

class PromptLookup {
 public:
  /// @param max_draft  tokens guessed at once at most; 0: never.
  PromptLookup(std::span<const int64_t> prompt, int64_t max_draft);

  /// A token that now belongs to the answer.
  void push(int64_t id);
  /// What may come next, at most `most` tokens; often nothing. Guesses get shorter while they turn out wrong.
  std::vector<int64_t> draft(int64_t most);
  /// How many of the last draft's tokens were right.
  void accepted(int64_t right, int64_t of);

  int64_t num_drafted() const { return drafted_; }
  int64_t num_accepted() const { return accepted_; }

 private:
  uint64_t key(size_t end) const;

  std::vector<int64_t> ids_;
  std::unordered_map<uint64_t, size_t> follower_;  // n-gram → where the token after its last place stands
  int64_t max_draft_, length_;
  int64_t drafted_ = 0, accepted_ = 0;
};

}  // namespace vl3::engine
