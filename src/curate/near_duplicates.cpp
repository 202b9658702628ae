// Pictures that look like a better one that stays. Looks come in the order of their rank, in blocks that fit
// memory: each block is compared with those that stay of the blocks before it, then within itself.
#include <algorithm>
#include <array>
#include <bit>

#include "curate/duplicates.h"
#include "curate/look_sorter.h"

namespace vl3::curate {
namespace {

constexpr size_t kParts = 16, kKeys = 1 << 16;
constexpr size_t kMinBlock = 256;
// A look, its hash once more (in a row, for the search), its place in each part's table, who it looks like.
constexpr size_t kLookBytes = sizeof(Look) + sizeof(PictureHash) + kParts * sizeof(uint32_t) + 16;
constexpr size_t kAsk = 4096;  // looks between two questions whether to stop

uint32_t part_of(const PictureHash& hash, size_t part) {
  return static_cast<uint32_t>(hash[part / 4] >> (part % 4 * 16) & (kKeys - 1));
}

// Beyond the limit it is not counted on: most pairs are told apart by a quarter of their bits.
int distance_up_to(const PictureHash& a, const PictureHash& b, int limit) {
  int bits = 0;
  for (size_t i = 0; i < a.size() && bits <= limit; ++i) bits += std::popcount(a[i] ^ b[i]);
  return bits;
}

// Looks, best rank first, that are found by their hashes. Hashes of 256 bits that differ in at most 15 agree
// in one of 16 parts of 16 bits; those that differ in at most 31 differ there in one bit at most.
class Block {
 public:
  explicit Block(const DuplicatesConfig& config)
      : config_(config), limit_(static_cast<int>(config.max_hash_distance)) {
    masks_.push_back(0);
    for (int bit = 0; bit < 16 && limit_ >= 16; ++bit) masks_.push_back(1u << bit);
  }

  void reserve(size_t looks) { looks_.reserve(looks); }
  void add(const Look& look) { looks_.push_back(look); }
  size_t size() const { return looks_.size(); }
  bool stays(size_t i) const { return !gone_[i]; }
  const Look& look(size_t i) const { return looks_[i]; }

  void index() {
    gone_.assign(looks_.size(), false);
    hashes_.resize(looks_.size());
    for (size_t i = 0; i < looks_.size(); ++i) hashes_[i] = looks_[i].likeness.hash;
    for (size_t part = 0; part < kParts; ++part) {
      Table& table = tables_[part];
      table.ends.assign(kKeys + 1, 0);
      for (const PictureHash& hash : hashes_) ++table.ends[part_of(hash, part) + 1];
      for (size_t key = 0; key < kKeys; ++key) table.ends[key + 1] += table.ends[key];
      table.order.resize(looks_.size());
      // ends[key] grows from the key's begin to its end, which is where the next key begins.
      for (size_t i = 0; i < hashes_.size(); ++i)
        table.order[table.ends[part_of(hashes_[i], part)]++] = static_cast<uint32_t>(i);
    }
  }

  /// Drops every look that is like this one, which ranks higher. @param take  of (look, distance)
  template <typename Take>
  void drop_like(const Look& other, const Take& take) {
    each_near(other.likeness.hash, [&](size_t i) {
      int distance = 0;
      if (!gone_[i] && alike(other, i, &distance)) {
        gone_[i] = true;
        take(looks_[i], distance);
      }
      return true;
    });
  }

  /// Drops look `i` where a better one that stays is like it: the best of those.
  template <typename Take>
  void drop_if_like_another(size_t i, const Take& take) {
    size_t best = i;
    int distance = 0;
    each_near(hashes_[i], [&](size_t k) {
      int found = 0;
      if (k >= best) return false;  // a key's looks stand in the order of their rank
      if (gone_[k] || !alike(looks_[i], k, &found)) return true;
      best = k;
      distance = found;
      return false;
    });
    if (best == i) return;
    gone_[i] = true;
    take(looks_[i], looks_[best], distance);
  }

  void clear() { looks_.clear(); }

 private:
  struct Table {
    std::vector<uint32_t> ends, order;
  };

  // Calls `visit` with every look that may be near; false from it goes on with the next key.
  template <typename Visit>
  void each_near(const PictureHash& hash, const Visit& visit) const {
    for (size_t part = 0; part < kParts; ++part) {
      const Table& table = tables_[part];
      for (const uint32_t mask : masks_) {
        const uint32_t key = part_of(hash, part) ^ mask;
        const uint32_t begin = key == 0 ? 0 : table.ends[key - 1], end = table.ends[key];
        for (uint32_t at = begin; at < end; ++at) {
          if (!visit(table.order[at])) break;
        }
      }
    }
  }

  bool alike(const Look& look, size_t i, int* distance) const {
    *distance = distance_up_to(look.likeness.hash, hashes_[i], limit_);
    if (*distance > limit_) return false;
    const ThumbDistance thumbs = thumb_distance(look.likeness.thumb, looks_[i].likeness.thumb);
    return thumbs.mean <= config_.max_thumb_mean &&
           thumbs.most <= static_cast<double>(config_.max_thumb_cell);
  }

  const DuplicatesConfig config_;
  const int limit_;
  std::vector<uint32_t> masks_;
  std::vector<Look> looks_;
  std::vector<PictureHash> hashes_;
  std::vector<bool> gone_;
  std::array<Table, kParts> tables_;
};

class NearDuplicates {
 public:
  NearDuplicates(const CurateConfig& config, const std::filesystem::path& work, VerdictFile* verdicts,
                 const StepHooks& hooks, int64_t total)
      : block_(config.duplicates), kept_(work / "near"), verdicts_(verdicts), hooks_(hooks), total_(total) {
    most_ = std::max(kMinBlock, static_cast<size_t>(config.duplicates.memory_bytes) / kLookBytes);
    block_.reserve(std::min(most_, static_cast<size_t>(total)));
  }

  void add(const Look& look) {
    block_.add(look);
    if (block_.size() == most_) finish_block();
  }

  void finish_block() {
    if (block_.size() == 0) return;
    block_.index();
    std::vector<Look> chunk(kAsk);
    for (int64_t at = 0; at < kept_.size();) {
      hooks_.stop_if_asked("finding near duplicates");
      const size_t count = kept_.read(at, chunk.data(), chunk.size());
      for (size_t k = 0; k < count; ++k) {
        block_.drop_like(chunk[k], [&](const Look& look, int distance) { drop(look, chunk[k], distance); });
      }
      at += static_cast<int64_t>(count);
    }
    std::vector<Look> kept;
    for (size_t i = 0; i < block_.size(); ++i) {
      if (i % kAsk == 0) {
        hooks_.stop_if_asked("finding near duplicates");
        hooks_.show("near duplicates", done_ + static_cast<int64_t>(i), total_);
        kept_.append(kept.data(), kept.size());
        kept.clear();
      }
      if (!block_.stays(i)) continue;
      block_.drop_if_like_another(
          i, [&](const Look& look, const Look& other, int distance) { drop(look, other, distance); });
      if (block_.stays(i)) kept.push_back(block_.look(i));
    }
    kept_.append(kept.data(), kept.size());
    done_ += static_cast<int64_t>(block_.size());
    block_.clear();
  }

 private:
  void drop(const Look& look, const Look& other, int distance) {
    Verdict verdict = verdicts_->get(look.rank.position);
    verdict.reason = Reason::kNearDuplicate;
    verdict.other = other.rank.position;
    verdict.value = static_cast<float>(distance);
    verdicts_->set(look.rank.position, verdict);
  }

  Block block_;
  LookFile kept_;  // best rank first
  VerdictFile* verdicts_;
  const StepHooks& hooks_;
  int64_t total_, done_ = 0;
  size_t most_;
};

}  // namespace

void drop_near_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                          const std::filesystem::path& work, VerdictFile* verdicts, const StepHooks& hooks) {
  if (config.duplicates.max_hash_distance < 0) return;
  const auto memory = static_cast<size_t>(config.duplicates.memory_bytes);
  for (const uint8_t video : {0, 1}) {  // a video is no copy of its own cover
    LookSorter sorter(work / "looks", std::max(kMinBlock, memory / sizeof(Look)));
    candidates.each_kept(*verdicts, [&](const Candidate& candidate) {
      if (candidate.has_likeness != 0 && candidate.video == video)
        sorter.add({candidate.rank, candidate.likeness});
    });
    if (sorter.size() == 0) continue;
    NearDuplicates near(config, work, verdicts, hooks, sorter.size());
    sorter.each([&](const Look& look) { near.add(look); });
    near.finish_block();
  }
}

}  // namespace vl3::curate
