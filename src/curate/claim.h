// What the scores in an output folder were made from and with, kept in work/scoring_keys.txt: scores of other
// inputs or of other keys are never mixed. Between processes; one thread in each.
#pragma once

#include <string>
#include <vector>

#include "curate/curate_config.h"
#include "curate/file_lock.h"
#include "curate/item.h"
#include "curate/shard_scorer.h"
#include "curate/step_hooks.h"

namespace vl3::curate {

/// Lines "input = NAME<tab>…", one a file of the input, and "key = value" as scoring_keys() gives them.
std::vector<std::string> claim_lines(const ItemSource& source, const CurateConfig& config);

/// "" where scores that were made by `theirs` serve `mine`; otherwise the first difference, as a clause.
/// Scores that nobody asks for any more (a scorer's, captions' gains) are no difference; missing ones are.
std::string claim_difference(const std::vector<std::string>& theirs, const std::vector<std::string>& mine);

/// Refuses a folder whose scores were made otherwise. A claim without a single scored shard binds nobody: its
/// recipe may have been wrong.
/// @throws Error(kInvalidArgument) naming the first difference.
void check_claim(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout);

/// Claims the folder for the scores that are about to be made; the lock is held until they are.
/// @throws Error(kInvalidArgument) as check_claim(), or while others score by another recipe; kCancelled.
FileLock claim_scores(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                      const StepHooks& hooks);

}  // namespace vl3::curate
