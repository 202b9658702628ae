#include "train/gradient_sync.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

namespace vl3::train {

struct GradientSync::Hook : torch::autograd::PostAccumulateGradHook {
  Hook(GradientSync* owner, size_t parameter) : owner_(owner), parameter_(parameter) {}
  void operator()(const torch::autograd::Variable& weight) override { owner_->receive(parameter_, weight); }

 private:
  GradientSync* owner_;
  size_t parameter_;
};

GradientSync::GradientSync(ParameterStore& store, Collective& collective)
    : store_(&store),
      collective_(&collective),
      state_(store.buckets().size()),
      written_(store.parameters().size()) {
  for (size_t b = 0; b < state_.size(); ++b) {
    const Bucket& bucket = store.buckets()[b];
    const int64_t n = bucket.size / collective.world_size();
    state_[b].shard = bucket.grads.narrow(0, collective.rank() * n, n);
  }
  for (size_t p = 0; p < store.parameters().size(); ++p) {
    const at::Tensor& weight = store.parameters()[p].weight;
    weight.set_requires_grad(true);
    torch::autograd::impl::set_post_acc_grad_hooks(weight, std::make_unique<Hook>(this, p));
  }
}

GradientSync::~GradientSync() {
  for (const Parameter& parameter : store_->parameters()) {
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.weight, nullptr);
    parameter.weight.set_requires_grad(false);
  }
}

void GradientSync::begin_window() {
  last_row_ = false;
  next_ = 0;
  written_.assign(written_.size(), false);
  for (size_t b = 0; b < state_.size(); ++b) {
    const Bucket& bucket = store_->buckets()[b];
    state_[b].missing = bucket.parameters.size();
    if (bucket.direct) bucket.grads.zero_();
  }
}

void GradientSync::receive(size_t p, const at::Tensor& weight) {
  Parameter& parameter = store_->parameters()[p];
  at::Tensor& gradient = weight.mutable_grad();
  if (!gradient.defined()) return;  // a direct one: its operation has added it already
  if (written_[p]) {
    parameter.grad_sum.add_(gradient);
  } else {
    parameter.grad_sum.copy_(gradient);
    written_[p] = true;
  }
  gradient.reset();
  if (!last_row_) return;
  BucketState& state = state_[parameter.bucket];
  if (state.missing > 0) --state.missing;
  launch_ready();
}

void GradientSync::launch_ready() {
  if (collective_->world_size() == 1) return;
  // Those written directly are complete when backward has ended.
  while (next_ < state_.size() && state_[next_].missing == 0 && !store_->buckets()[next_].direct) {
    launch(next_++);
  }
}

void GradientSync::launch(size_t b) {
  if (collective_->world_size() == 1) return;
  state_[b].pending = collective_->reduce_scatter_sum(store_->buckets()[b].grads);
}

void GradientSync::finish_window() {
  for (size_t p = 0; p < written_.size(); ++p) {
    const Parameter& parameter = store_->parameters()[p];
    // A part that no row reached has gradient zero, not none: AdamW moves it by its momentum.
    if (!written_[p] && !parameter.direct) parameter.grad_sum.zero_();
  }
  while (next_ < state_.size()) launch(next_++);
  for (BucketState& state : state_) {
    if (state.pending) state.pending->wait();
    state.pending.reset();
  }
}

}  // namespace vl3::train
