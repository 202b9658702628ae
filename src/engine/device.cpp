#include "engine/device.h"

#include <torch/cuda.h>

#include <optional>

#include "core/check.h"

namespace vl3::engine {

c10::Device parse_device(const std::string& name, bool may_be_auto) {
  if (may_be_auto && name == "auto") return {torch::cuda::is_available() ? at::kCUDA : at::kCPU};
  std::optional<c10::Device> device;
  try {
    device.emplace(name);
  } catch (const c10::Error&) {
  }
  VL3_CHECK(device && (device->is_cpu() || device->is_cuda()), kInvalidArgument,
            "device \"{}\": expected {}cpu, cuda or cuda:N", name, may_be_auto ? "auto, " : "");
  VL3_CHECK(!device->is_cuda() || torch::cuda::is_available(), kInvalidArgument,
            "device \"{}\": this libtorch sees no CUDA device; use cpu", name);
  return *device;
}

}  // namespace vl3::engine
