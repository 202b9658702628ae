#include "train/dist/process_group.h"

#include <torch/cuda.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef VL3_WITH_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>

#include "core/check.h"

namespace vl3::train {
namespace {

// libtorch's messages carry a stack trace below their first line, gloo's a source file before and advice
// behind.
std::string first_line(const std::exception& error) {
  std::string text = error.what();
  text.resize(std::min({text.find('\n'), text.find(". This is typically"), text.size()}));
  const size_t place = text.starts_with("[/") ? text.find("] ") : std::string::npos;
  return place == std::string::npos ? text : text.substr(place + 2);
}

constexpr const char* kErrorKey = "error";  // of the process that failed first: code, line feed, message
constexpr const char* kReadersKey = "error_read";  // processes that know it
constexpr auto kLookEvery = std::chrono::milliseconds(500);
constexpr auto kStorePatience = std::chrono::seconds(10);
constexpr const char* kLostKey = "lost";  // set where one of them found another gone
// Until the slowest process meets its next collective; and where one is gone, which will never read.
constexpr std::chrono::seconds kReaderPatience{120}, kLostPatience{10};

std::string packed(const Error& error) {
  return fmt::format("{}\n{}", static_cast<int>(error.code()), error.what());
}

Error unpacked(const std::string& text) {
  const size_t end = text.find('\n');
  return {static_cast<ErrorCode>(std::atoi(text.c_str())),
          end == std::string::npos ? text : text.substr(end + 1)};
}

/// The process group's members that collectives in flight need, too. Gloo cannot be made to drop what is in
/// flight: who waits looks into the store now and then, whether another process has failed.
struct Link {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::Backend> backend;
  bool on_cpu = true;
  bool serves_store = false;
  int64_t world_size = 1;
  bool lost = false;  // a collective failed, and no process has said why

  template <typename Action>
  void communicate(const char* what, Action&& action) {
    try {
      action();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      if (const auto told = told_error()) throw *told;
      lost = true;
      VL3_FAIL(kInternal,
               "{} with the other processes failed: {}. One of them was killed or lost its network", what,
               first_line(error));
    }
  }

  /// @throws Error of another process; what the work itself fails with.
  void await(c10d::Work& work) {
    if (!on_cpu) {  // NCCL: only queued for the device here
      work.wait();
      return;
    }
    while (true) {
      const auto begin = std::chrono::steady_clock::now();
      try {
        work.wait(kLookEvery);
        return;
      } catch (const std::exception&) {
        // It failed, or the time is over. (A work that failed does not count as completed.)
        if (std::chrono::steady_clock::now() - begin < kLookEvery) throw;
      }
      if (const auto told = told_error()) throw *told;
    }
  }

  /// Why another process ended.
  std::optional<Error> told_error() noexcept {
    try {
      store->setTimeout(kStorePatience);
      if (!store->check({kErrorKey})) return std::nullopt;
      const std::vector<uint8_t> bytes = store->get(kErrorKey);
      return unpacked({bytes.begin(), bytes.end()});
    } catch (const std::exception&) {
      return std::nullopt;  // the store's process is gone
    }
  }

  /// Called once, by every process that ends with an error.
  Error fail(const Error& error) noexcept {
    Error first = error;
    try {
      store->setTimeout(kStorePatience);
      if (lost) store->set(kLostKey, "1");
      first = unpacked(store->compareSet(kErrorKey, "", packed(error)));
      store->add(kReadersKey, 1);
    } catch (const std::exception&) {
      lost = true;  // nobody to tell
    }
    if (serves_store && !lost) wait_for_readers();
    // Its destructor would wait for what is in flight, that is for processes which wait themselves.
    (void)backend.release();
    return first;
  }

 private:
  void wait_for_readers() noexcept {
    const auto begin = std::chrono::steady_clock::now();
    const auto patience = [&] { return store->check({kLostKey}) ? kLostPatience : kReaderPatience; };
    try {
      while (store->add(kReadersKey, 0) < world_size && std::chrono::steady_clock::now() - begin < patience())
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } catch (const std::exception&) {
    }
  }
};

class PendingWork : public Pending {
 public:
  PendingWork(const char* what, std::shared_ptr<Link> link, c10::intrusive_ptr<c10d::Work> work,
              at::Tensor from, at::Tensor to)
      : what_(what),
        link_(std::move(link)),
        work_(std::move(work)),
        from_(std::move(from)),
        to_(std::move(to)) {}
  void wait() override {
    link_->communicate(what_, [&] { link_->await(*work_); });
  }

 private:
  const char* what_;
  std::shared_ptr<Link> link_;
  c10::intrusive_ptr<c10d::Work> work_;
  at::Tensor from_, to_;  // kept until the result is there
};

class ProcessGroup : public Collective {
 public:
  ProcessGroup(const LaunchEnvironment& environment, at::Device device, c10::intrusive_ptr<c10d::Store> store,
               c10::intrusive_ptr<c10d::Backend> backend)
      : rank_(environment.rank), world_size_(environment.world_size), link_(std::make_shared<Link>()) {
    link_->store = std::move(store);
    link_->backend = std::move(backend);
    link_->on_cpu = device.is_cpu();
    link_->serves_store = rank_ == 0 && !environment.agent_store;
    link_->world_size = world_size_;
  }

  int64_t rank() const override { return rank_; }
  int64_t world_size() const override { return world_size_; }

  void all_reduce_sum(at::Tensor& tensor) override {
    link_->communicate("all-reduce", [&] {
      std::vector<at::Tensor> tensors{tensor};
      link_->await(*link_->backend->allreduce(tensors));
    });
  }
  std::unique_ptr<Pending> reduce_scatter_sum(at::Tensor buffer) override {
    VL3_DCHECK(buffer.numel() % world_size_ == 0);
    const int64_t n = buffer.numel() / world_size_;
    at::Tensor shard = buffer.narrow(0, rank_ * n, n);
    return start("reduce-scatter", buffer, shard, [&]() -> c10::intrusive_ptr<c10d::Work> {
      if (!link_->on_cpu) return link_->backend->_reduce_scatter_base(shard, buffer);
      std::vector<at::Tensor> tensors{buffer};  // gloo's own reduce-scatter does the same to a copy
      return link_->backend->allreduce(tensors);
    });
  }
  std::unique_ptr<Pending> all_gather(at::Tensor shard, at::Tensor output) override {
    VL3_DCHECK(output.numel() == shard.numel() * world_size_);
    return start("all-gather", shard, output, [&] { return link_->backend->_allgather_base(output, shard); });
  }
  void broadcast(at::Tensor& tensor, int64_t root) override {
    link_->communicate("broadcast", [&] {
      std::vector<at::Tensor> tensors{tensor};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      link_->await(*link_->backend->broadcast(tensors, options));
    });
  }
  void barrier() override {
    link_->communicate("barrier", [&] { link_->await(*link_->backend->barrier()); });
  }
  Error fail(const Error& error) noexcept override { return link_->fail(error); }

 private:
  template <typename Begin>
  std::unique_ptr<Pending> start(const char* what, const at::Tensor& from, const at::Tensor& to,
                                 Begin&& begin) {
    std::unique_ptr<Pending> pending;
    link_->communicate(what,
                       [&] { pending = std::make_unique<PendingWork>(what, link_, begin(), from, to); });
    return pending;
  }

  int64_t rank_, world_size_;
  std::shared_ptr<Link> link_;
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
  FLAGS_caffe2_log_level =
      c10::GLOG_ERROR;  // what goes wrong is thrown; libtorch would also print stack traces
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
    return std::make_unique<ProcessGroup>(environment, device, store, backend);
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

at::Device device_of_process(at::Device device) {
  if (!device.is_cuda() || device.has_index()) return device;
  const auto environment = launch_environment();
  const int64_t rank = environment ? environment->local_rank : 0;
  // Where Slurm shows each process its own GPU only, that is number 0 for all.
  return {at::kCUDA, static_cast<c10::DeviceIndex>(rank % std::max<int64_t>(1, torch::cuda::device_count()))};
}

std::unique_ptr<Collective> join_processes(at::Device device) {
  const auto environment = launch_environment();
  return environment ? join_processes(*environment, device, JoinTimeouts{}) : single_process();
}

}  // namespace vl3::train
