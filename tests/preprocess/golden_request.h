// A case of the golden set as preprocessing sees it: its media as pictures and its flow's limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "preprocess/media_item.h"
#include "preprocess/patchify.h"
#include "support/golden_tensors.h"
#include "support/png.h"
#include "weights/model_config.h"

namespace vl3::preprocess {

struct GoldenMedium {
  MediaKind kind;
  std::vector<test::Picture> frames;

  MediaShape shape() const {
    return {kind, {frames.front().height, frames.front().width}, static_cast<int64_t>(frames.size())};
  }
};

struct GoldenRequest {
  std::string name;  ///< "cases/tiny_a/mixed.remote"
  Json meta;
  weights::PreprocessConfig config;
  std::vector<GoldenMedium>
      media;  ///< in the tensors' order: remote as in the prompt, native images before videos
  test::GoldenTensors tensors;

  std::vector<MediaShape> shapes() const;
  /// Target sizes, resizing and patches of every medium, by the code under test.
  std::vector<PatchBatch> batches() const;
};

/// The set's cases that have media.
std::vector<GoldenRequest> golden_requests();

}  // namespace vl3::preprocess
