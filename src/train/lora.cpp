#include "train/lora.h"

#include <ATen/Context.h>
#include <ATen/ops/addmm.h>

#include <cmath>

#include "core/check.h"
#include "core/hash.h"
#include "nn/modules.h"
#include "train/lora_targets.h"

namespace vl3::train {
namespace {

void each_linear(torch::nn::Module& model,
                 const std::function<void(const std::string&, nn::LinearImpl&)>& body) {
  for (const auto& item : model.named_modules()) {
    if (auto* linear = item.value()->as<nn::LinearImpl>(); linear != nullptr) body(item.key(), *linear);
  }
}

}  // namespace

std::vector<Trainable> adapter_parameters(const LoraConfig& lora, const weights::ModelConfig& config) {
  VL3_CHECK(lora.r > 0, kInvalidArgument, "lora.r {}: expected at least 1", lora.r);
  VL3_CHECK(lora.lora_dropout >= 0 && lora.lora_dropout < 1, kInvalidArgument,
            "lora.lora_dropout {}: expected at least 0 and below 1", lora.lora_dropout);
  std::vector<Trainable> parameters;
  for (const weights::ExpectedTensor& linear : lora_linears(lora, config)) {
    parameters.push_back({linear.name + ".lora_A.weight", {lora.r, linear.shape[1]}});
    parameters.push_back({linear.name + ".lora_B.weight", {linear.shape[0], lora.r}});
  }
  return parameters;
}

void attach_adapters(torch::nn::Module& model, ParameterStore& store, const LoraConfig& lora, uint64_t seed) {
  each_linear(model, [&](const std::string& name, nn::LinearImpl& linear) {
    const Parameter* a = store.find(name + ".lora_A.weight");
    const Parameter* b = store.find(name + ".lora_B.weight");
    if (a == nullptr || b == nullptr) return;
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU).clone();
    generator.set_current_seed(seed ^ fnv1a(name));  // its numbers depend on seed and name alone
    const double bound = 1 / std::sqrt(static_cast<double>(a->shape[1]));
    const at::Tensor first = at::empty(a->shape, at::kFloat).uniform_(-bound, bound, generator);
    a->weight.detach().copy_(first);
    b->weight.detach().zero_();
    linear.adapter.a = a->weight;
    linear.adapter.b = b->weight;
    linear.adapter.scale = lora.lora_alpha / static_cast<double>(lora.r);
    linear.adapter.dropout = lora.lora_dropout;
  });
}

void seed_adapters(torch::nn::Module& model, uint64_t seed) {
  each_linear(model, [&](const std::string& name, nn::LinearImpl& linear) {
    if (linear.adapter.a.defined()) linear.adapter.seed = seed ^ fnv1a(name);
  });
}

void set_adapter_dropout(torch::nn::Module& model, double dropout) {
  each_linear(model, [&](const std::string&, nn::LinearImpl& linear) { linear.adapter.dropout = dropout; });
}

at::Tensor merged_weight(const at::Tensor& weight, const at::Tensor& a, const at::Tensor& b,
                         const LoraConfig& lora) {
  const at::Tensor wide = weight.detach().to(at::kFloat);
  return at::addmm(wide, b.detach().to(at::kFloat), a.detach().to(at::kFloat), 1,
                   lora.lora_alpha / static_cast<double>(lora.r));
}

}  // namespace vl3::train
