#include "curate/duplicates.h"

#include <algorithm>

#include "curate/spill.h"

namespace vl3::curate {
namespace {

struct KeyRecord {
  uint64_t key = 0, rest = 0;
  Rank rank;
};

struct LookRecord {
  uint64_t key = 0;
  Rank rank;
  Likeness likeness;
};

Verdict dropped(const VerdictFile& verdicts, int64_t position, Reason reason, int64_t other, float value) {
  Verdict verdict = verdicts.get(position);
  verdict.reason = reason;
  verdict.other = other;
  verdict.value = value;
  return verdict;
}

bool alike(const Likeness& a, const Likeness& b, const DuplicatesConfig& config, int* distance) {
  *distance = hash_distance(a.hash, b.hash);
  if (*distance > config.max_hash_distance) return false;
  const ThumbDistance thumbs = thumb_distance(a.thumb, b.thumb);
  return thumbs.mean <= config.max_thumb_mean && thumbs.most <= static_cast<double>(config.max_thumb_cell);
}

}  // namespace

void drop_exact_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                           const std::filesystem::path& work, VerdictFile* verdicts) {
  if (!config.duplicates.exact) return;
  Spill<KeyRecord> spill(work / "exact", candidates.size(), config.duplicates.memory_bytes);
  candidates.each_kept(*verdicts, [&](const Candidate& candidate) {
    spill.add({candidate.content[0], candidate.content[1], candidate.rank});
  });
  spill.groups([&](std::span<const KeyRecord> group) {
    for (size_t i = 1; i < group.size(); ++i) {
      const auto first = std::find_if(group.begin(), group.begin() + static_cast<std::ptrdiff_t>(i),
                                      [&](const KeyRecord& other) { return other.rest == group[i].rest; });
      if (first == group.begin() + static_cast<std::ptrdiff_t>(i)) continue;
      const int64_t position = group[i].rank.position;
      verdicts->set(position, dropped(*verdicts, position, Reason::kExactDuplicate, first->rank.position, 0));
    }
  });
}

void drop_near_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                          const std::filesystem::path& work, VerdictFile* verdicts) {
  if (config.duplicates.max_hash_distance < 0) return;
  // Verdicts are set when every band is through: within the stage all items stand for comparison.
  const int band_bits = config.duplicates.max_hash_distance < 16 ? 16 : 8, in_word = 64 / band_bits;
  Spill<KeyRecord> found(work / "near", candidates.size(), config.duplicates.memory_bytes);
  for (int band = 0; band < 256 / band_bits; ++band) {
    Spill<LookRecord> spill(work / "bands", candidates.size(), config.duplicates.memory_bytes);
    candidates.each_kept(*verdicts, [&](const Candidate& candidate) {
      if (candidate.has_likeness == 0) return;
      const uint64_t key =
          candidate.likeness.hash[static_cast<size_t>(band / in_word)] >> (band % in_word * band_bits) &
          ((1u << band_bits) - 1);
      spill.add({key, candidate.rank, candidate.likeness});
    });
    spill.groups([&](std::span<const LookRecord> group) {
      for (size_t i = 1; i < group.size(); ++i) {
        for (size_t k = 0; k < i; ++k) {
          int distance = 0;
          if (!alike(group[k].likeness, group[i].likeness, config.duplicates, &distance)) continue;
          // Its best partner: the first that ranks higher.
          found.add({static_cast<uint64_t>(group[i].rank.position), static_cast<uint64_t>(distance),
                     group[k].rank});
          break;
        }
      }
    });
  }
  found.groups([&](std::span<const KeyRecord> group) {
    const auto position = static_cast<int64_t>(group[0].key);
    verdicts->set(position, dropped(*verdicts, position, Reason::kNearDuplicate, group[0].rank.position,
                                    static_cast<float>(group[0].rest)));
  });
}

void drop_caption_templates(const CandidateFile& candidates, const CurateConfig& config,
                            const std::filesystem::path& work, VerdictFile* verdicts) {
  const auto most = static_cast<size_t>(config.text.max_template_items);
  if (most == 0) return;
  Spill<KeyRecord> spill(work / "templates", candidates.size(), config.duplicates.memory_bytes);
  candidates.each_kept(*verdicts, [&](const Candidate& candidate) {
    if (candidate.caption_key != 0) spill.add({candidate.caption_key, 0, candidate.rank});
  });
  spill.groups([&](std::span<const KeyRecord> group) {
    for (size_t i = most; i < group.size(); ++i) {
      const int64_t position = group[i].rank.position;
      verdicts->set(position, dropped(*verdicts, position, Reason::kCaptionTemplate, group[0].rank.position,
                                      static_cast<float>(group.size())));
    }
  });
}

}  // namespace vl3::curate
