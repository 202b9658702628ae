// The filters that need one row alone. Pure function.
#pragma once

#include "curate/curate_config.h"
#include "curate/score_row.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// The first filter, in the order of Stage, that the row does not pass; kKept when all let it through. A
/// score that the row lacks is not judged, unless its scorer is required.
Verdict judge_row(const ScoreRow& row, const CurateConfig& config);

}  // namespace vl3::curate
