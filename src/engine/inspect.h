// What the model sees of media: the resized frames, the patch grid, and which visual tokens pruning keeps.
#pragma once

#include <string>

#include "core/json.h"
#include "engine/engine_impl.h"

namespace vl3::engine {

struct Inspection {
  std::string png;   ///< contact sheet: a frame a cell, token grid drawn, dropped tokens dimmed and crossed
  OrderedJson json;  ///< media, frames, times, grids, rows of the kept mask as strings of '#' and '.'
};

/// @throws Error(kResourceExhausted) when the sheet would pass 64 megapixels: use fewer frames.
Inspection inspect(const Runtime& runtime, const Conversation& conversation, const AskOptions& options);

}  // namespace vl3::engine
