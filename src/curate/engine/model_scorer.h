// What scorers of the user's own models share: how a picture becomes their input, and what a score is.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "curate/curate_config.h"
#include "curate/scorer.h"

namespace vl3::curate {

/// One number a picture under the scorer's name; a number that is not finite is no score.
class ModelScorer : public PictureModel {
 public:
  /// @throws Error(kInvalidArgument) for a mean or std that is no number, Error(kNotFound) without the file.
  explicit ModelScorer(const ScorerConfig& config);
  std::vector<Impression> look(const std::vector<Sighting>& items) override;

 protected:
  /// @param pictures_BCHW  float32 [B, 3, side, side], B at least 1: each picture's middle square, resized
  ///   bilinearly with antialiasing, (value / 255 - mean) / std.
  /// @return B numbers.
  virtual std::vector<double> scores(const at::Tensor& pictures_BCHW) = 0;
  const ScorerConfig& config() const { return config_; }

 private:
  at::Tensor input_of(const media::Frame& picture) const;

  ScorerConfig config_;
  std::array<float, 3> mean_, std_;
};

}  // namespace vl3::curate
