#include "curate/score_axis.h"

#include <algorithm>

namespace vl3::curate {

void AxisSampler::add(double value) {
  ++seen_;
  if (sample_.size() < kSample) {
    sample_.push_back(value);
  } else if (const auto slot = static_cast<size_t>(rng_.real() * static_cast<double>(seen_));
             slot < kSample) {
    sample_[slot] = value;
  }
}

ScoreAxis AxisSampler::axis() const {
  std::vector<double> sorted = sample_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&sorted](double share) {
    return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
  };
  return sorted.empty() ? ScoreAxis{0, 1} : ScoreAxis{at(0.005), at(0.995)};
}

}  // namespace vl3::curate
