// What is to be seen in each patch of a generated picture: the targets of the vision encoder's warm-up, which
// stands in for its pre-training on image-text pairs (a head that is thrown away afterwards learns them).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "preprocess/media_item.h"
#include "synth/sample.h"

namespace vl3::data {

/// What a patch is asked.
enum class PatchTask {
  kContent,  ///< nothing, one of the shapes, a letter or digit, another glyph, a part of a chart
  kColour,   ///< of what is there
  kRow,      ///< in which eighth of the picture's height the patch lies
  kColumn    ///< … of its width
};
inline constexpr int kPatchTasks = 4;
inline constexpr int kPatchBins = 8;

/// Classes of each task.
inline constexpr std::array<int64_t, kPatchTasks> kPatchClasses = {8 + 26 + 26 + 10 + 3, 11, kPatchBins,
                                                                   kPatchBins};

/// @param type, label  as synth::Item has them. @return the class of PatchTask::kContent; 0: nothing.
int64_t content_class(std::string_view type, std::string_view label);

/// @param grid  in patches, of the picture as it is resized for the encoder (t = 1); merge 1.
/// @return [h*w, kPatchTasks], kIgnoreIndex where a task does not apply. A patch is about the item that
/// covers most of it, where that is a quarter of the patch or of the item; characters go before what they
/// stand on. Patches without one are asked for their content only.
std::vector<int64_t> patch_labels(const synth::ImageFacts& facts, const preprocess::Grid& grid);

}  // namespace vl3::data
