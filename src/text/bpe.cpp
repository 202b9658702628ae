#include "text/bpe.h"

#include <algorithm>
#include <functional>

namespace vl3::text {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

// A doubly linked list over the word's bytes; a merged-away symbol keeps id -1.
struct Symbol {
  int32_t id;
  uint32_t previous;
  uint32_t next;
};

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<BpeMerge> merges, int64_t max_id)
    : byte_ids_(byte_ids), merges_(std::move(merges)), first_(static_cast<size_t>(max_id) + 2, 0) {
  std::vector<int32_t> order(merges_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const BpeMerge& x = merges_[static_cast<size_t>(a)];
    const BpeMerge& y = merges_[static_cast<size_t>(b)];
    return x.left != y.left ? x.left < y.left : x.right != y.right ? x.right < y.right : a < b;
  });
  successors_.reserve(order.size());
  int32_t last_left = -1;
  for (const int32_t rank : order) {
    const BpeMerge& merge = merges_[static_cast<size_t>(rank)];
    if (merge.left == last_left && successors_.back().right == merge.right) {
      successors_.back().rank = rank;
      continue;
    }
    last_left = merge.left;
    successors_.push_back({merge.right, rank});
    ++first_[static_cast<size_t>(merge.left) + 1];
  }
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
}

int32_t Bpe::rank_of(int32_t left, int32_t right) const {
  const auto begin = successors_.begin() + first_[static_cast<size_t>(left)];
  const auto end = successors_.begin() + first_[static_cast<size_t>(left) + 1];
  const auto found =
      std::lower_bound(begin, end, right, [](const Successor& s, int32_t value) { return s.right < value; });
  return found != end && found->right == right ? found->rank : -1;
}

void Bpe::encode(std::string_view word, std::vector<int64_t>* ids) const {
  if (word.empty()) return;
  thread_local std::vector<Symbol> symbols;
  // Candidates as rank << 32 | position: the smallest is the lowest rank, leftmost. One may have gone stale
  // by the time it is popped; then the two symbols no longer are the merge's.
  thread_local std::vector<uint64_t> queue;
  symbols.clear();
  queue.clear();
  const auto size = static_cast<uint32_t>(word.size());
  for (uint32_t i = 0; i < size; ++i) {
    symbols.push_back(
        {byte_ids_[static_cast<uint8_t>(word[i])], i == 0 ? kNone : i - 1, i + 1 == size ? kNone : i + 1});
  }
  const auto candidate = [&](uint32_t at) {
    const int32_t rank = rank_of(symbols[at].id, symbols[symbols[at].next].id);
    if (rank >= 0) queue.push_back(static_cast<uint64_t>(rank) << 32 | at);
    return rank >= 0;
  };
  for (uint32_t i = 0; i + 1 < size; ++i) candidate(i);
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  const auto push = [&](uint32_t at) {
    if (candidate(at)) std::push_heap(queue.begin(), queue.end(), std::greater<>());
  };
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const uint64_t top = queue.back();
    queue.pop_back();
    const auto at = static_cast<uint32_t>(top);
    const BpeMerge& merge = merges_[top >> 32];
    Symbol& left = symbols[at];
    if (left.id != merge.left || left.next == kNone || symbols[left.next].id != merge.right) continue;
    Symbol& right = symbols[left.next];
    left.id = merge.result;
    left.next = right.next;
    right.id = -1;
    if (left.next != kNone) {
      symbols[left.next].previous = at;
      push(at);
    }
    if (left.previous != kNone) push(left.previous);
  }
  for (uint32_t at = 0; at != kNone; at = symbols[at].next) ids->push_back(symbols[at].id);
  constexpr size_t kKept = 1 << 16;  // scratch of a huge word is given back
  if (symbols.capacity() > kKept) std::vector<Symbol>().swap(symbols);
  if (queue.capacity() > kKept) std::vector<uint64_t>().swap(queue);
}

}  // namespace vl3::text
