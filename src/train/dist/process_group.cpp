#include "train/dist/process_group.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef VL3_WITH_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <cstdlib>

#include "core/check.h"

namespace vl3::train {
namespace {

// libtorch's messages carry a stack trace below their first line.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

template <typename Action>
void communicate(const char* what, Action&& action) {
  try {
    action();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    VL3_FAIL(
        kInternal,
        "{} with the other processes failed: {}. Look whether one of them stopped with an error of its own",
        what, first_line(error));
  }
}

class PendingWork : public Pending {
 public:
  PendingWork(const char* what, c10::intrusive_ptr<c10d::Work> work, at::Tensor from, at::Tensor to)
      : what_(what), work_(std::move(work)), from_(std::move(from)), to_(std::move(to)) {}
  void wait() override {
    communicate(what_, [&] { work_->wait(); });
  }

 private:
  const char* what_;
  c10::intrusive_ptr<c10d::Work> work_;
  at::Tensor from_, to_;  // kept until the result is there
};

class ProcessGroup : public Collective {
 public:
  ProcessGroup(const LaunchEnvironment& environment, c10::intrusive_ptr<c10d::Store> store,
               c10::intrusive_ptr<c10d::Backend> backend)
      : rank_(environment.rank),
        world_size_(environment.world_size),
        store_(std::move(store)),
        backend_(std::move(backend)) {}

  int64_t rank() const override { return rank_; }
  int64_t world_size() const override { return world_size_; }

  void all_reduce_sum(at::Tensor& tensor) override {
    communicate("all-reduce", [&] {
      std::vector<at::Tensor> tensors{tensor};
      backend_->allreduce(tensors)->wait();
    });
  }
  std::unique_ptr<Pending> reduce_scatter_sum(at::Tensor input, at::Tensor shard) override {
    VL3_DCHECK(input.numel() == shard.numel() * world_size_);
    std::unique_ptr<Pending> pending;
    communicate("reduce-scatter", [&] {
      pending = std::make_unique<PendingWork>("reduce-scatter", backend_->_reduce_scatter_base(shard, input),
                                              input, shard);
    });
    return pending;
  }
  std::unique_ptr<Pending> all_gather(at::Tensor shard, at::Tensor output) override {
    VL3_DCHECK(output.numel() == shard.numel() * world_size_);
    std::unique_ptr<Pending> pending;
    communicate("all-gather", [&] {
      pending = std::make_unique<PendingWork>("all-gather", backend_->_allgather_base(output, shard), shard,
                                              output);
    });
    return pending;
  }
  void broadcast(at::Tensor& tensor, int64_t root) override {
    communicate("broadcast", [&] {
      std::vector<at::Tensor> tensors{tensor};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      backend_->broadcast(tensors, options)->wait();
    });
  }
  void barrier() override {
    communicate("barrier", [&] { backend_->barrier()->wait(); });
  }

 private:
  int64_t rank_, world_size_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::Backend> backend_;
};

c10::intrusive_ptr<c10d::Backend> make_backend(const LaunchEnvironment& environment, at::Device device,
                                               const c10::intrusive_ptr<c10d::Store>& store,
                                               const JoinTimeouts& timeouts) {
  const auto rank = static_cast<int>(environment.rank), size = static_cast<int>(environment.world_size);
  if (device.is_cuda()) {
#ifdef VL3_WITH_NCCL
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeouts.collective;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
#else
    VL3_FAIL(kUnsupported, "several processes on CUDA need a build with -DVL3_NCCL=ON");
#endif
  }
  auto options = c10d::ProcessGroupGloo::Options::create(timeouts.collective);
  // Which network to use, as in PyTorch.
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  options->devices.push_back(interface != nullptr && *interface != '\0'
                                 ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                 : c10d::ProcessGroupGloo::createDefaultDevice());
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

}  // namespace

std::unique_ptr<Collective> join_processes(const LaunchEnvironment& environment, at::Device device,
                                           const JoinTimeouts& timeouts) {
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(environment.master_port);
    options.isServer = environment.rank == 0 && !environment.agent_store;
    options.timeout = timeouts.join;
    if (!environment.agent_store) options.numWorkers = static_cast<size_t>(environment.world_size);
    c10::intrusive_ptr<c10d::Store> store =
        c10::make_intrusive<c10d::TCPStore>(environment.master_addr, options);
    store = c10::make_intrusive<c10d::PrefixStore>("vl3/" + environment.store_prefix, store);
    auto backend = make_backend(environment, device, store, timeouts);
    return std::make_unique<ProcessGroup>(environment, store, backend);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    VL3_FAIL(kInternal,
             "process {} of {} could not join the others at {}:{} within {} s: {}. Start them all, and check "
             "that the "
             "port is free and reachable",
             environment.rank, environment.world_size, environment.master_addr, environment.master_port,
             std::chrono::duration_cast<std::chrono::seconds>(timeouts.join).count(), first_line(error));
  }
}

std::unique_ptr<Collective> join_processes(at::Device device) {
  const auto environment = launch_environment();
  return environment ? join_processes(*environment, device, JoinTimeouts{}) : single_process();
}

}  // namespace vl3::train
