#include <ATen/core/Tensor.h>

#include "train/dist/collective.h"

namespace vl3::train {
namespace {

class Done : public Pending {
 public:
  void wait() override {}
};

class SingleProcess : public Collective {
 public:
  int64_t rank() const override { return 0; }
  int64_t world_size() const override { return 1; }
  void all_reduce_sum(at::Tensor& /*tensor*/) override {}
  std::unique_ptr<Pending> reduce_scatter_sum(at::Tensor /*buffer*/) override {
    return std::make_unique<Done>();
  }
  std::unique_ptr<Pending> all_gather(at::Tensor shard, at::Tensor output) override {
    if (!output.is_alias_of(shard)) output.copy_(shard);
    return std::make_unique<Done>();
  }
  void broadcast(at::Tensor& /*tensor*/, int64_t /*root*/) override {}
  void barrier() override {}
  Error fail(const Error& error) noexcept override { return error; }
};

}  // namespace

std::unique_ptr<Collective> single_process() { return std::make_unique<SingleProcess>(); }

}  // namespace vl3::train
