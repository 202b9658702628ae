#include "train/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "core/check.h"
#include "ops/adamw.h"
#include "ops/parallel.h"

namespace vl3::train {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements a thread takes at least
constexpr double kMuonMomentum = 0.95;

double squares(const at::Tensor& values) {
  if (!values.is_cpu()) return values.to(at::kDouble).square().sum().item<double>();
  const float* from = values.const_data_ptr<float>();
  // Pieces of a fixed size, added in order: the same sum for any number of threads.
  const int64_t n = values.numel(), pieces = (n + kGrain - 1) / kGrain;
  std::vector<double> sums(static_cast<size_t>(pieces));
  ops::parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[static_cast<size_t>(i)] = ops::sum_of_squares(from + i * kGrain, std::min(kGrain, n - i * kGrain));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

at::Tensor orthogonalised(const at::Tensor& x, at::ScalarType products) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315;
  const bool tall = x.size(0) > x.size(1);
  at::Tensor y = tall ? x.t() : x;
  y = (y / y.norm().clamp_min(1e-7)).to(products);
  for (int step = 0; step < 5; ++step) {
    const at::Tensor gram = at::mm(y, y.t());
    y = at::addmm(y, at::addmm(gram, gram, gram, b, c), y, a, 1.0);
  }
  return (tall ? y.t() : y).to(x.scalar_type());
}

Optimizer::Optimizer(ParameterStore& store, Collective& collective, const OptimizerConfig& config)
    : store_(&store), collective_(&collective), config_(config) {
  VL3_CHECK(config.optimizer == "adamw" || config.optimizer == "muon", kInvalidArgument,
            "optim.optimizer \"{}\": choose adamw or muon", config.optimizer);
  VL3_CHECK(config.optimizer == "adamw" || collective.world_size() == 1, kUnsupported,
            "optim.optimizer muon on {} processes: a matrix would lie on several of them; choose adamw, or "
            "one process",
            collective.world_size());
  VL3_CHECK(
      config.adam_beta1 >= 0 && config.adam_beta1 < 1 && config.adam_beta2 >= 0 && config.adam_beta2 < 1,
      kInvalidArgument, "optim.adam_beta1 {}, adam_beta2 {}: expected at least 0 and below 1",
      config.adam_beta1, config.adam_beta2);
  VL3_CHECK(!config.max_grad_norm || *config.max_grad_norm > 0, kInvalidArgument,
            "optim.max_grad_norm {}: expected above 0; leave it out for no clipping",
            config.max_grad_norm.value_or(0));
  for (const Bucket& bucket : store.buckets()) {
    const int64_t n = bucket.size / collective.world_size();
    Shard shard;
    shard.weights = bucket.weights.narrow(0, collective.rank() * n, n);
    shard.master = bucket.weights.scalar_type() == at::kFloat ? shard.weights : shard.weights.to(at::kFloat);
    shard.exp_avg = at::zeros_like(shard.master);
    if (bucket.rule == Rule::kAdamW) shard.exp_avg_sq = at::zeros_like(shard.master);
    shards_.push_back(std::move(shard));
  }
  refresh_masters();
}

void Optimizer::refresh_masters() {
  for (Shard& shard : shards_) {
    if (!shard.master.is_same(shard.weights)) shard.master.copy_(shard.weights);
  }
}

std::map<Part, double> Optimizer::squared_norms(const GradientSync& gradients) const {
  at::Tensor sums = at::zeros({static_cast<int64_t>(kParts.size())}, at::kDouble);
  auto* sum = sums.data_ptr<double>();
  for (size_t b = 0; b < shards_.size(); ++b)
    sum[static_cast<size_t>(store_->buckets()[b].part)] += squares(gradients.shard(b));
  if (collective_->world_size() > 1) {
    at::Tensor there = sums.to(store_->options().device);
    collective_->all_reduce_sum(there);
    sums = there.cpu();
    sum = sums.data_ptr<double>();
  }
  std::map<Part, double> norms;
  for (const Bucket& bucket : store_->buckets()) norms[bucket.part] = sum[static_cast<size_t>(bucket.part)];
  return norms;
}

void Optimizer::muon_step(const Bucket& bucket, Shard& shard, double lr, double gradient_scale) {
  const double decay = bucket.decays ? config_.weight_decay : 0.0;
  for (const size_t p : bucket.parameters) {
    const Parameter& parameter = store_->parameters()[p];
    const auto of = [&](const at::Tensor& flat) {
      return flat.narrow(0, parameter.offset, parameter.numel).view(parameter.shape);
    };
    at::Tensor momentum = of(shard.exp_avg), master = of(shard.master);
    const at::Tensor gradient = parameter.grad_sum * gradient_scale;
    momentum.lerp_(gradient, 1 - kMuonMomentum);
    const at::Tensor update =
        orthogonalised(gradient.lerp(momentum, kMuonMomentum), shard.weights.scalar_type());
    // With this factor an update has AdamW's usual size, so one learning rate serves both. Source: Liu et al.
    // 2025.
    const auto longest = static_cast<double>(std::max(parameter.shape[0], parameter.shape[1]));
    master.mul_(1 - lr * decay).add_(update, -lr * 0.2 * std::sqrt(longest));
  }
  if (!shard.master.is_same(shard.weights)) shard.weights.copy_(shard.master);
}

void Optimizer::step(const GradientSync& gradients, const LearningRates& rates, double gradient_scale,
                     int64_t step) {
  const c10::AutoGradMode off(false);
  std::vector<std::unique_ptr<Pending>> gathers;
  for (size_t b = 0; b < shards_.size(); ++b) {
    Bucket& bucket = store_->buckets()[b];
    Shard& shard = shards_[b];
    const double lr = learning_rate(rates, bucket.part).value();
    if (bucket.rule == Rule::kMuon) {
      muon_step(bucket, shard, lr, gradient_scale);
      continue;
    }
    const ops::AdamWStep update{.lr = lr,
                                .beta1 = config_.adam_beta1,
                                .beta2 = config_.adam_beta2,
                                .epsilon = config_.adam_epsilon,
                                .weight_decay = bucket.decays ? config_.weight_decay : 0.0,
                                .gradient_scale = gradient_scale,
                                .step = step};
    const at::Tensor& gradient = gradients.shard(b);
    const bool narrow = shard.weights.scalar_type() == at::kBFloat16;
    if (shard.master.is_cpu()) {
      float *w = shard.master.data_ptr<float>(), *m = shard.exp_avg.data_ptr<float>(),
            *v = shard.exp_avg_sq.data_ptr<float>();
      const float* g = gradient.const_data_ptr<float>();
      auto* bits = narrow ? static_cast<uint16_t*>(static_cast<void*>(shard.weights.data_ptr<at::BFloat16>()))
                          : nullptr;
      ops::parallel_for(0, shard.master.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ops::adamw(update, end - begin, w + begin, g + begin, m + begin, v + begin,
                   bits == nullptr ? nullptr : bits + begin);
      });
    } else {
      const at::Tensor scale = at::tensor(static_cast<float>(1 / gradient_scale)).to(shard.master.device());
      const at::Tensor steps = at::tensor(static_cast<float>(step)).to(shard.master.device());
      at::_fused_adamw_({shard.master}, {gradient}, {shard.exp_avg}, {shard.exp_avg_sq}, {}, {steps}, lr,
                        update.beta1, update.beta2, update.weight_decay, update.epsilon, false, false, scale,
                        {});
      if (narrow) shard.weights.copy_(shard.master);
    }
    if (collective_->world_size() > 1)
      gathers.push_back(collective_->all_gather(shard.weights.clone(), bucket.weights));
  }
  for (auto& gather : gathers) gather->wait();
}

at::Tensor Optimizer::full(const Bucket& bucket, const at::Tensor& shard) const {
  if (collective_->world_size() == 1) return shard.cpu();
  at::Tensor all = at::empty({bucket.size}, shard.options());
  collective_->all_gather(shard.contiguous(), all)->wait();
  return all.cpu();
}

std::vector<LazyTensor> Optimizer::state() {
  std::vector<LazyTensor> state;
  for (size_t b = 0; b < shards_.size(); ++b) {
    const Bucket& bucket = store_->buckets()[b];
    const auto add = [&](const char* what, const at::Tensor& shard) {
      auto all = std::make_shared<at::Tensor>();  // from the bucket's first parameter to its last
      for (const size_t p : bucket.parameters) {
        const Parameter& parameter = store_->parameters()[p];
        const auto get = [this, all, &bucket, &parameter, shard, last = p == bucket.parameters.back()] {
          if (!all->defined()) *all = full(bucket, shard);
          const at::Tensor part = all->narrow(0, parameter.offset, parameter.numel).view(parameter.shape);
          if (last) all->reset();
          return part;
        };
        state.push_back({std::string(what) + "." + parameter.name, at::kFloat, parameter.shape, get});
      }
    };
    add("exp_avg", shards_[b].exp_avg);
    if (shards_[b].exp_avg_sq.defined()) add("exp_avg_sq", shards_[b].exp_avg_sq);
    if (!shards_[b].master.is_same(shards_[b].weights)) add("master", shards_[b].master);
  }
  return state;
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& state) {
  for (size_t b = 0; b < shards_.size(); ++b) {
    const Bucket& bucket = store_->buckets()[b];
    Shard& shard = shards_[b];
    const auto load = [&](const char* what, at::Tensor& into) {
      at::Tensor all = at::zeros({bucket.size}, at::kFloat);
      for (const size_t p : bucket.parameters) {
        const Parameter& parameter = store_->parameters()[p];
        const std::string name = std::string(what) + "." + parameter.name;
        const auto found = state.find(name);
        VL3_CHECK(found != state.end(), kCorrupt, "optimizer state lacks {}: was it saved by this recipe?",
                  name);
        VL3_CHECK(found->second.sizes() == at::IntArrayRef(parameter.shape) &&
                      found->second.scalar_type() == at::kFloat,
                  kCorrupt, "optimizer state {}: expected float32 [{}]", name,
                  fmt::join(parameter.shape, ", "));
        all.narrow(0, parameter.offset, parameter.numel).copy_(found->second.reshape({-1}));
      }
      const int64_t n = into.numel();
      into.copy_(all.narrow(0, collective_->rank() * n, n));
    };
    load("exp_avg", shard.exp_avg);
    if (shard.exp_avg_sq.defined()) load("exp_avg_sq", shard.exp_avg_sq);
    if (!shard.master.is_same(shard.weights)) load("master", shard.master);
  }
}

int64_t Optimizer::state_bytes() const {
  int64_t bytes = 0;
  for (const Shard& shard : shards_) {
    bytes += static_cast<int64_t>(shard.exp_avg.nbytes());
    if (shard.exp_avg_sq.defined()) bytes += static_cast<int64_t>(shard.exp_avg_sq.nbytes());
    if (!shard.master.is_same(shard.weights)) bytes += static_cast<int64_t>(shard.master.nbytes());
  }
  return bytes;
}

}  // namespace vl3::train
