// Which of two alike items stays. Plain data.
#pragma once

#include <cstdint>

namespace vl3::curate {

struct Rank {
  int64_t worth = 0;  ///< the picture's pixels, and above any number of them a caption that is used
  int64_t position = 0;
};

inline constexpr int64_t kWorthOfCaption = int64_t{1} << 48;

/// The one worth more; of equal ones the earlier. A strict order: no two items rank alike.
inline bool better(const Rank& a, const Rank& b) {
  return a.worth != b.worth ? a.worth > b.worth : a.position < b.position;
}

}  // namespace vl3::curate
