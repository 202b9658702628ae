// Where a score's values lie, for histograms: a sample of bounded size, drawn evenly from all of them. One
// thread.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "synth/rng.h"

namespace vl3::curate {

/// From the lowest to the highest value that is drawn.
using ScoreAxis = std::pair<double, double>;

class AxisSampler {
 public:
  static constexpr size_t kSample = 2048;

  void add(double value);
  bool empty() const { return sample_.empty(); }
  /// Between the 0.5 % and the 99.5 % quantile; what lies outside counts in the outermost bins.
  ScoreAxis axis() const;

 private:
  std::vector<double> sample_;
  int64_t seen_ = 0;
  synth::Rng rng_{1};
};

}  // namespace vl3::curate
