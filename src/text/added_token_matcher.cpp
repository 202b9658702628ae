#include "text/added_token_matcher.h"

namespace vl3::text {

void AddedTokenMatcher::add(std::string_view content, int64_t id) {
  uint64_t node = 0;
  for (const char c : content) {
    const auto [child, fresh] =
        children_.try_emplace(node << 8 | static_cast<uint8_t>(c), static_cast<uint32_t>(id_of_node_.size()));
    if (fresh) id_of_node_.push_back(-1);
    node = child->second;
  }
  id_of_node_[node] = id;
  if (!content.empty()) starts_[static_cast<uint8_t>(content[0])] = true;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::next(std::string_view text, size_t from,
                                                                std::span<const ByteRange> plain) const {
  auto range = plain.begin();
  for (size_t at = from; at < text.size(); ++at) {
    while (range != plain.end() && range->end <= at) ++range;
    if (range != plain.end() && range->begin <= at) {
      at = range->end - 1;
      continue;
    }
    if (!starts_[static_cast<uint8_t>(text[at])]) continue;
    const size_t limit = range == plain.end() ? text.size() : range->begin;
    std::optional<Match> longest;
    uint64_t node = 0;
    for (size_t end = at; end < limit; ++end) {
      const auto child = children_.find(node << 8 | static_cast<uint8_t>(text[end]));
      if (child == children_.end()) break;
      node = child->second;
      if (id_of_node_[node] >= 0) longest = Match{{at, end + 1}, id_of_node_[node]};
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

}  // namespace vl3::text
