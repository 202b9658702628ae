#include "train/machine_speed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

#include "core/seconds.h"
#include "engine/device.h"

namespace vl3::train {

double measure_flops(const std::string& dtype, const std::string& device) {
  constexpr int64_t kSide = 2048;
  constexpr int kRepeats = 20;
  constexpr double kSeconds = 1.0;
  const at::NoGradGuard no_grad;
  const at::TensorOptions options = at::TensorOptions()
                                        .device(engine::parse_device(device, /*may_be_auto=*/true))
                                        .dtype(dtype == "float32" ? at::kFloat : at::kBFloat16);
  const at::Tensor a = at::randn({kSide, kSide}, options), b = at::randn({kSide, kSide}, options);
  const auto one = [&] {
    const auto begin = std::chrono::steady_clock::now();
    const at::Tensor product = at::mm(a, b);
    (void)product[0][0].item<float>();  // waits for the device
    return seconds_since(begin);
  };
  one();  // libraries are loaded and threads started by the first
  double best = one(), spent = best;
  for (int i = 0; i < kRepeats && spent < kSeconds; ++i) {
    const double seconds = one();
    best = std::min(best, seconds);
    spent += seconds;
  }
  return 2.0 * kSide * kSide * kSide / best;
}

}  // namespace vl3::train
