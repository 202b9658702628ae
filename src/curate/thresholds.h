// The filters that need one row alone. Pure functions.
#pragma once

#include <string_view>

#include "curate/curate_config.h"
#include "curate/score_row.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// The first filter, in the order of Stage, that the row does not pass; kKept when all let it through. A
/// score that the row lacks is not judged, unless its scorer is required.
Verdict judge_row(const ScoreRow& row, const CurateConfig& config);

/// The text filters on a text that is no row's: a new caption. kKept where it passes; "" does.
Reason judge_caption(std::string_view caption, const TextConfig& config);

/// Writes the scores of the recipe's column scorers out of the row's annotation: columns need no scoring, so
/// they can be named at any time. A column that is no finite number is no score.
void take_columns(const CurateConfig& config, ScoreRow* row);

}  // namespace vl3::curate
