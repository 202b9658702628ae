// An item as the parts of its user message, subtitles put in by the times of the frames. Pure but for the
// subtitle file.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "eval/data/item.h"

namespace vl3::eval {

/// A text, an image, or a run of frames of a video.
struct PromptPart {
  std::string text;
  int medium = -1;  ///< index into Item::media; -1 for text
  size_t first_frame = 0;
  size_t frames = 0;  ///< 0: the whole medium
};

/// Seconds of the frames of the item's video.
using FrameTimes = std::function<std::vector<double>(const Medium& video)>;

/// @param times  asked only where subtitles depend on it
/// @throws Error for a subtitle file that is missing (interleaved) or broken, and what `times` throws
std::vector<PromptPart> prompt_parts(const Item& item, const FrameTimes& times);

}  // namespace vl3::eval
