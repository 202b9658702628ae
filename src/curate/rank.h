// Which of two alike items stays. Plain data.
#pragma once

#include <cstdint>

namespace vl3::curate {

struct Rank {
  int64_t pixels = 0;
  int64_t position = 0;
};

/// The larger picture; of equal ones the earlier. A strict order: no two items rank alike.
inline bool better(const Rank& a, const Rank& b) {
  return a.pixels != b.pixels ? a.pixels > b.pixels : a.position < b.position;
}

}  // namespace vl3::curate
