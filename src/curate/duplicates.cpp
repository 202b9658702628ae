#include "curate/duplicates.h"

#include <algorithm>

#include "curate/spill.h"

namespace vl3::curate {
namespace {

constexpr int64_t kBlock = 4096;  // verdicts at once

struct KeyRecord {
  uint64_t key = 0, rest = 0;
  Rank rank;
};

Verdict dropped(const VerdictFile& verdicts, int64_t position, Reason reason, int64_t other, float value) {
  Verdict verdict = verdicts.get(position);
  verdict.reason = reason;
  verdict.other = other;
  verdict.value = value;
  return verdict;
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

DuplicateSummary settle_duplicates(const CurateConfig& config, const std::filesystem::path& work,
                                   VerdictFile* verdicts) {
  DuplicateSummary summary;
  Spill<KeyRecord> spill(work / "groups", verdicts->items(), config.duplicates.memory_bytes);
  for (int64_t begin = 0; begin < verdicts->items(); begin += kBlock) {
    const std::vector<Verdict> block =
        verdicts->get(begin, std::min<int64_t>(kBlock, verdicts->items() - begin));
    for (size_t i = 0; i < block.size(); ++i) {
      Verdict verdict = block[i];
      const int64_t position = begin + static_cast<int64_t>(i);
      if (verdict.reason != Reason::kExactDuplicate && verdict.reason != Reason::kNearDuplicate) continue;
      if (verdict.reason == Reason::kExactDuplicate) {
        const Verdict same = verdicts->get(verdict.other);
        if (same.reason == Reason::kNearDuplicate) {
          verdict.other = same.other;
          verdict.value = same.value;  // equal bytes: it is as far away
          verdicts->set(position, verdict);
        }
      } else {
        ++summary.distances[std::min(static_cast<size_t>(verdict.value), summary.distances.size() - 1)];
      }
      spill.add({static_cast<uint64_t>(verdict.other), 0, {0, position}});
    }
  }
  spill.groups([&](std::span<const KeyRecord> group) {
    const int64_t size = std::ssize(group) + 1;
    const auto* of = std::lower_bound(summary.kSizes.begin(), summary.kSizes.end(), size);
    ++summary.groups;
    summary.dropped += std::ssize(group);
    summary.largest = std::max(summary.largest, size);
    ++summary.sizes[static_cast<size_t>(of - summary.kSizes.begin())];
  });
  return summary;
}

}  // namespace vl3::curate
