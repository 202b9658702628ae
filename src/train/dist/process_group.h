// libtorch's process groups behind Collective.
#pragma once

#include <chrono>
#include <memory>

#include "core/launch_environment.h"
#include "train/dist/collective.h"

namespace vl3::train {

struct JoinTimeouts {
  std::chrono::milliseconds join = std::chrono::minutes(5);  ///< until all processes are there
  std::chrono::milliseconds collective =
      std::chrono::minutes(30);  ///< one collective: the slowest process's step
};

/// @throws Error(kInternal) when the others don't come in time; Error(kUnsupported) for CUDA in a build
/// without NCCL.
std::unique_ptr<Collective> join_processes(const LaunchEnvironment& environment, at::Device device,
                                           const JoinTimeouts& timeouts);

}  // namespace vl3::train
