// A selection on disk: made once, then read by every process that captions its share, and again as long as
// neither scores nor thresholds change. Between processes under a lock that select_items() takes.
#pragma once

#include <optional>
#include <string>

#include "curate/select.h"

namespace vl3::curate {

/// Changes when another selection would come out: keys of the recipe, and size and time of every score file.
/// @throws Error(kNotFound) naming the first shard that is not scored yet.
std::string selection_state(const ShardSizes& sizes, const CurateConfig& config, const OutputLayout& layout);

/// The selection that is there, if it was made in this state. Reads: kept open, it stays what it is.
std::optional<Selection> load_selection(const std::filesystem::path& folder, const std::string& state,
                                        int64_t items);

/// Writes what belongs to the verdicts that lie in `folder` already; last, so that it is there when all is.
void save_selection(const std::filesystem::path& folder, const std::string& state,
                    const Selection& selection);

std::filesystem::path verdicts_of(const std::filesystem::path& folder);

}  // namespace vl3::curate
