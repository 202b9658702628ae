// Visual tokens of receipts, added up.
#pragma once

#include <vector>

#include "vl3/engine.h"

namespace vl3::engine {

struct VisualCount {
  int64_t tokens = 0;  ///< before pruning
  int64_t kept = 0;
};

inline VisualCount count_visual(const MediumReceipt& medium) {
  VisualCount count;
  for (const FrameReceipt& frame : medium.frames) {
    count.tokens += frame.tokens;
    count.kept += frame.kept;
  }
  return count;
}

inline VisualCount count_visual(const std::vector<MediumReceipt>& media) {
  VisualCount count;
  for (const MediumReceipt& medium : media) {
    const auto [tokens, kept] = count_visual(medium);
    count.tokens += tokens;
    count.kept += kept;
  }
  return count;
}

}  // namespace vl3::engine
