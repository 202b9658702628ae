// What training needs of other processes, as an interface: the trainer is written once for one process and
// for many. Tensors lie on the process's device; every process makes the same calls in the same order. Not
// thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "vl3/error.h"

namespace vl3::train {

/// A collective that was started; wait() returns when its result is there.
class Pending {
 public:
  virtual ~Pending() = default;
  virtual void wait() = 0;
};

class Collective {
 public:
  virtual ~Collective() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t world_size() const = 0;

  /// In place.
  virtual void all_reduce_sum(at::Tensor& tensor) = 0;
  /// @param buffer [world * n]: after wait() its part number rank() holds that part's sum over processes, the
  /// other parts nothing of use. Must not be touched before wait().
  virtual std::unique_ptr<Pending> reduce_scatter_sum(at::Tensor buffer) = 0;
  /// @param shard [n] @param output [world * n], every process's shard in rank order.
  virtual std::unique_ptr<Pending> all_gather(at::Tensor shard, at::Tensor output) = 0;
  virtual void broadcast(at::Tensor& tensor, int64_t root) = 0;
  virtual void barrier() = 0;

  /// Ends the processes together: whatever the others wait for, now or later, throws the error that this
  /// gives back, which is that of the process that called it first. No other call is of use afterwards.
  [[nodiscard]] virtual Error fail(const Error& error) noexcept = 0;
};

/// One process alone: everything is a copy or nothing.
std::unique_ptr<Collective> single_process();

/// The processes that torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), mpirun
/// (OMPI_COMM_WORLD_*, PMI_*) or Slurm (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID, SLURM_JOB_NODELIST)
/// started together; single_process() where the environment names no others. Gloo on the CPU, NCCL on CUDA.
/// @throws Error(kInvalidArgument) for contradictory variables; Error(kInternal) when the others don't come.
std::unique_ptr<Collective> join_processes(at::Device device);

/// "cuda" without a number is the GPU of this process among those of its machine; other devices stay.
at::Device device_of_process(at::Device device);

}  // namespace vl3::train
