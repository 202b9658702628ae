// What the model sees of media: the resized frames, the patch grid, and which visual tokens pruning keeps.
#pragma once

#include <string>

#include "core/json.h"
#include "engine/engine_impl.h"

namespace vl3::engine {

struct Inspection {
  /// Contact sheet: a frame a cell, token grid drawn, dropped tokens dimmed and crossed; the cells of frames
  /// that a broken file lacks stay empty.
  std::string png;
  OrderedJson json;  ///< media, frames, times, grids, rows of the kept mask as strings of '#' and '.'
};

/// @throws Error(kResourceExhausted), before anything is decoded, when the sheet would pass 64 megapixels:
/// use fewer frames, and look at media of very different sizes apart.
Inspection inspect(const Runtime& runtime, const Conversation& conversation, const AskOptions& options);

}  // namespace vl3::engine
