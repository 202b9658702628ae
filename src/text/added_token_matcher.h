// Finds added tokens ("<|im_end|>", "<image>") in text. Immutable, safe from several threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vl3::text {

/// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

class AddedTokenMatcher {
 public:
  void add(std::string_view content, int64_t id);

  struct Match {
    ByteRange range;
    int64_t id = 0;
  };
  /// The leftmost, there longest, token at or after `from` that touches none of the `plain` ranges
  /// (sorted, disjoint, not empty). Linear in the text for tokens of bounded length.
  std::optional<Match> next(std::string_view text, size_t from, std::span<const ByteRange> plain) const;

 private:
  // A trie: child of node n by byte b under key n << 8 | b; node 0 is the root.
  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<int64_t> id_of_node_ = {-1};
  std::array<bool, 256> starts_{};
};

}  // namespace vl3::text
