// Items that another one makes superfluous: equal bytes, pictures that look the same, captions out of one
// mould. Memory is bounded by config.duplicates.memory_bytes; what does not fit goes through files below
// `work`. One thread.
#pragma once

#include <cstdint>
#include <filesystem>

#include "curate/candidates.h"
#include "curate/curate_config.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// All but the best-ranked of each set of equal media go.
void drop_exact_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                           const std::filesystem::path& work, VerdictFile* verdicts);

/// An item goes when a better-ranked one, kept so far, is within max_hash_distance and both thumb bounds: the
/// outcome does not depend on the order of the input. Every such pair is found (pigeonhole: 16 parts of 16
/// bits and at most 15 differ, or 32 of 8 and at most 31).
void drop_near_duplicates(const CandidateFile& candidates, const CurateConfig& config,
                          const std::filesystem::path& work, VerdictFile* verdicts);

/// Of captions equal but for digits, case and white space, the best-ranked max_template_items stay.
void drop_caption_templates(const CandidateFile& candidates, const CurateConfig& config,
                            const std::filesystem::path& work, VerdictFile* verdicts);

}  // namespace vl3::curate
