// Device names of flags and recipes.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace vl3::engine {

/// @param name  "cpu", "cuda" or "cuda:N"; with `may_be_auto` also "auto": CUDA where there is a device.
/// @throws Error(kInvalidArgument) for another name, or CUDA where this libtorch sees no device.
c10::Device parse_device(const std::string& name, bool may_be_auto = false);

}  // namespace vl3::engine
