// Items that another one makes superfluous: equal bytes, pictures that look the same, captions out of one
// mould. Memory is bounded by config.duplicates.memory_bytes; what does not fit goes through files below
// `work`. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "curate/candidates.h"
#include "curate/curate_config.h"
#include "curate/step_hooks.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// All but the best-ranked of each set of equal media go.
void drop_exact_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                           const std::filesystem::path& work, VerdictFile* verdicts);

/// Best rank first, an item goes when a better one that stays is within max_hash_distance and both thumb
/// bounds; `other` is the best of those. So no two that stay are alike, and whoever goes is like one that
/// stays here. The outcome depends neither on the input's order nor on memory.
void drop_near_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                          const std::filesystem::path& work, VerdictFile* verdicts,
                          const StepHooks& hooks = {});

/// Of captions equal but for digits, case and white space, the best-ranked max_template_items stay.
void drop_caption_templates(const CandidateFile& candidates, const CurateConfig& config,
                            const std::filesystem::path& work, VerdictFile* verdicts);

/// What the report says of exact and near duplicates. A group: an item and those that went for it.
struct DuplicateSummary {
  static constexpr std::array<int64_t, 5> kSizes = {2, 3, 4, 8,
                                                    16};  ///< the largest of each class but the last
  int64_t groups = 0, dropped = 0, largest = 0;
  std::array<int64_t, kSizes.size() + 1> sizes{};  ///< groups of 2, 3, 4, 5 to 8, 9 to 16, more
  std::array<int64_t, 32> distances{};             ///< near duplicates by differing bits of their hashes
};

/// Counts duplicates, and settles exact ones of an item that then went as a near duplicate: their `other`
/// becomes the one it went for, so that `other` of a duplicate is none itself.
DuplicateSummary settle_duplicates(const CurateConfig& config, const std::filesystem::path& work,
                                   VerdictFile* verdicts);

}  // namespace vl3::curate
