// Byte-pair merging of one pre-split word. Immutable after construction, safe from several threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace vl3::text {

/// Two neighbouring tokens that become one. Its place in the list is its rank: lower merges first.
struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

class Bpe {
 public:
  /// @param byte_ids  token id of each single byte.
  /// @param merges    in rank order, ids in 0..max_id; of a pair listed twice the last counts, as in the
  /// reference.
  Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<BpeMerge> merges, int64_t max_id);

  /// Appends the ids of `word` (any bytes): while a pair has a merge, the one of lowest rank, leftmost first.
  /// O(n log n) in time, also for one word of megabytes.
  void encode(std::string_view word, std::vector<int64_t>* ids) const;

 private:
  struct Successor {
    int32_t right;
    int32_t rank;
  };
  int32_t rank_of(int32_t left, int32_t right) const;  ///< -1 without a merge

  std::array<int32_t, 256> byte_ids_;
  std::vector<BpeMerge> merges_;
  // The merges of left token t are successors_[first_[t] .. first_[t+1]), sorted by right. Sorted groups, not
  // a hash table, so that no choice of ids in a hostile file makes a look-up slow.
  std::vector<uint32_t> first_;
  std::vector<Successor> successors_;
};

}  // namespace vl3::text
