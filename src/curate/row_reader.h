// The score rows of a shard, streamed. One thread.
#pragma once

#include <filesystem>
#include <functional>

#include "curate/score_row.h"

namespace vl3::curate {

/// @throws Error(kNotFound) without the file; Error(kCorrupt) naming the line.
void each_row(const std::filesystem::path& file, const std::function<void(ScoreRow)>& take);

/// The same for any file of JSON lines.
void each_json(const std::filesystem::path& file, const std::function<void(const Json&)>& take);

}  // namespace vl3::curate
