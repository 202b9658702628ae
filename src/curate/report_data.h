// What the report shows, gathered while the items are written out: counts, histograms and a few samples, of a
// size that does not depend on the number of items. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "curate/curate_config.h"
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

class ReportData {
 public:
  static constexpr size_t kSamples = 8;  ///< of each reason, and of what is kept

  explicit ReportData(const CurateConfig& config);
  /// @param reason  reason_of() the row and verdict.
  void add(const ScoreRow& row, const Verdict& verdict, const std::string& reason);

  int64_t items = 0, kept = 0, near_groups = 0;
  std::map<std::string, int64_t> reasons;
  std::array<int64_t, kStages> dropped_at{};
  std::map<std::string, Histogram> histograms;  ///< by score, and "caption_chars"
  std::map<std::string, Samples> samples;       ///< by reason; "kept"

 private:
  uint64_t seed_;
};

/// "aspect_ratio", "score:aesthetic", or the row's own reason for what is unusable; "" where it is kept.
std::string reason_of(const ScoreRow& row, const Verdict& verdict, const CurateConfig& config);

}  // namespace vl3::curate
