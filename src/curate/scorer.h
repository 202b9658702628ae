// Models that judge pictures, behind interfaces: curate's steps know no libtorch, and tests give their own.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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

/// What a model says of one picture.
struct Impression {
  std::vector<float> features;  ///< of length 1 (the vector's norm); empty where the model gives none
  std::map<std::string, double> scores;  ///< by name; what cannot be told (no caption) is left out
};

/// A model that looks at pictures: features in which near means alike, scores, or both.
class PictureModel {
 public:
  virtual ~PictureModel() = default;
  virtual int64_t feature_size() const { return 0; }
  /// @return one an item.
  virtual std::vector<Impression> look(const std::vector<Sighting>& items) = 0;
};

/// The first that gives features gives those of the shard; where none does, they are layout_features().
using Models = std::vector<std::unique_ptr<PictureModel>>;

}  // namespace vl3::curate
