#include "ops/rounded_heads.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vl3::ops {

float round_head(const float* x, int64_t d, int8_t* out) {
  float most = 0.0F;
  bool finite = true;
  for (int64_t i = 0; i < d; ++i) {
    most = std::max(most, std::abs(x[i]));
    finite = finite && std::isfinite(x[i]);
  }
  if (!finite || most < 1e-30F) {
    std::fill(out, out + d, int8_t{0});
    return finite ? 0.0F : std::numeric_limits<float>::quiet_NaN();
  }
  const float inverse = 127.0F / most;
  for (int64_t i = 0; i < d; ++i) out[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse));
  return most / 127.0F;
}

}  // namespace vl3::ops
