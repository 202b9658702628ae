// What the report shows, gathered while the items are written out: counts, histograms and a few samples, of a
// size that does not depend on the number of items. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "curate/caption_step.h"
#include "curate/curate_config.h"
#include "curate/score_axis.h"
#include "curate/score_row.h"
#include "curate/select.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// Equal bins between two bounds; what lies outside counts in the outermost.
struct Histogram {
  static constexpr size_t kBins = 40;
  double low = 0, high = 1;
  bool logarithmic = false;
  std::array<int64_t, kBins> kept{}, dropped{};
  void add(double value, bool is_kept);
};

/// A few of all that are offered, each with the same chance (reservoir).
struct Samples {
  int64_t seen = 0;
  std::vector<int64_t> positions;
};

/// What became of the new captions of kept items.
struct CaptionTally {
  int64_t short_made = 0, detailed_made = 0;
  int64_t unfit = 0;                      ///< cut off, empty or refused by the text filters
  int64_t lacking = 0;                    ///< failed, or not asked for yet
  std::map<std::string, int64_t> faults;  ///< of unfit ones, by what is wrong
  std::string first_error;                ///< of those that failed
};

class ReportData {
 public:
  static constexpr size_t kSamples = 8;  ///< of each reason, and of what is kept

  /// @param axes  of scores from outside, where their values are known: Selection::axes.
  explicit ReportData(const CurateConfig& config, const std::map<std::string, ScoreAxis>& axes = {});
  /// @param reason  reason_of() the row and verdict.
  void add(const ScoreRow& row, const Verdict& verdict, const std::string& reason);
  /// Of a kept item. @param refusal  why it is not exported, "" where it is.
  void add_caption(const NewCaption& caption, const std::string& refusal);

  int64_t items = 0, kept = 0;
  std::map<std::string, int64_t> reasons;
  std::map<std::string, int64_t> not_exported;  ///< kept items by why
  CaptionTally captions;
  std::array<int64_t, kStages> dropped_at{};
  std::map<std::string, Histogram> histograms;  ///< by score
  std::map<std::string, Samples> samples;       ///< by reason; "kept"

 private:
  uint64_t seed_;
  bool wants_short_, wants_detailed_;
};

/// What a filter keeps of a score; nothing for one that is off.
struct Bounds {
  std::optional<double> min, max;
};
Bounds bounds_of(const std::string& score, const CurateConfig& config);

/// "aspect_ratio", "score:aesthetic", or the row's own reason for what is unusable; "" where it is kept.
std::string reason_of(const ScoreRow& row, const Verdict& verdict, const CurateConfig& config);

}  // namespace vl3::curate
