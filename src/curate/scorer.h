// Models that judge pictures, behind interfaces: curate's steps know no libtorch, and tests give their own. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "curate/curate_config.h"
#include "media/frame.h"

namespace vl3::curate {

/// A picture with its caption, as models get them. Of a video: the middle frame of its clip.
struct Sighting {
  const media::Frame* picture = nullptr;
  std::string caption;
};

/// Pictures to vectors in which near means alike.
class FeatureModel {
 public:
  virtual ~FeatureModel() = default;
  virtual int64_t size() const = 0;
  /// @return [B][size()], each of length 1.
  virtual std::vector<std::vector<float>> features(const std::vector<Sighting>& items) = 0;
};

/// A number for each picture, perhaps with its caption.
class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual const std::string& name() const = 0;
  /// @return one an item; nullopt where it cannot be told (no caption).
  virtual std::vector<std::optional<double>> scores(const std::vector<Sighting>& items) = 0;
};

struct Models {
  std::unique_ptr<FeatureModel> features;  ///< null: layout_features()
  std::vector<std::unique_ptr<Scorer>> scorers;
};

}  // namespace vl3::curate
