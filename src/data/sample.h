// One training sample ready to be packed: token ids, labels and the patches of its media. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "preprocess/media_item.h"

namespace vl3::data {

/// A label that takes no part in the loss.
inline constexpr int64_t kIgnoreIndex = -100;

/// An image or a video as the vision encoder reads it.
struct VisualMedium {
  preprocess::MediaKind kind = preprocess::MediaKind::kImage;
  preprocess::Grid grid;            ///< in patches
  int64_t merge = 1;                ///< merge x merge patches become one token
  std::vector<uint8_t> patches_u8;  ///< [t*h*w, 3*patch_size^2], block order (preprocess/patchify.h)
  /// [t*h*w / merge^2] of 0 and 1: tokens that stand in input_ids. Pruning (DiffFP) and the cut at
  /// model_max_length take out the others.
  std::vector<uint8_t> keep;
};

struct Sample {
  std::string id;  ///< of the annotation; "dataset:line" where it has none
  std::vector<int64_t> input_ids;
  std::vector<int64_t> labels;  ///< as long as input_ids, not shifted; kIgnoreIndex = not learned
  std::vector<int64_t>
      visual_positions;             ///< rows of input_ids that the kept tokens of `media` fill, in order
  std::vector<VisualMedium> media;  ///< in prompt order
  /// What each assistant turn answers, for scores by kind; empty where that is not known.
  std::vector<std::string> answer_kinds;
  int64_t tokens_before_cut = 0;  ///< before model_max_length and before pruning
  int64_t labelled_tokens = 0;    ///< labels that are learned; 0 = the cut took the whole answer
};

}  // namespace vl3::data
