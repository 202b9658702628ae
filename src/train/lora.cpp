#include "train/lora.h"

#include <ATen/Context.h>
#include <ATen/ops/addmm.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "nn/modules.h"
#include "weights/hf_names.h"

namespace vl3::train {
namespace {

constexpr std::string_view kWeight = ".weight";

std::vector<std::string> components(const std::string& name) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The target's last component is the name's last; the others stand before it in their order.
bool matches(const std::string& target, const std::string& linear) {
  const auto wanted = components(target), found = components(linear);
  if (wanted.back() != found.back()) return false;
  size_t next = 0;
  for (const std::string& part : found) {
    if (next < wanted.size() && part == wanted[next]) ++next;
  }
  return next == wanted.size();
}

bool in_decoder(const std::string& name) { return name.starts_with("model.language_model.layers."); }

// Linears of the model and their shapes, in the order of the data flow; not the patch embedding, the table,
// the head.
std::vector<Trainable> linears(const weights::ModelConfig& config) {
  std::vector<Trainable> found;
  for (const auto& tensor : weights::expected_tensors(config)) {
    const bool table = tensor.name.find("embed") != std::string::npos || tensor.name.starts_with("lm_head");
    if (tensor.shape.size() != 2 || table) continue;
    found.push_back({tensor.name.substr(0, tensor.name.size() - kWeight.size()), tensor.shape});
  }
  return found;
}

uint64_t hash_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: a tensor's numbers depend on seed and name alone
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void each_linear(torch::nn::Module& model,
                 const std::function<void(const std::string&, nn::LinearImpl&)>& body) {
  for (const auto& item : model.named_modules()) {
    if (auto* linear = item.value()->as<nn::LinearImpl>(); linear != nullptr) body(item.key(), *linear);
  }
}

}  // namespace

std::vector<std::string> adapted_linears(const LoraConfig& lora, const weights::ModelConfig& config) {
  VL3_CHECK(lora.r > 0, kInvalidArgument, "lora.r {}: expected at least 1", lora.r);
  VL3_CHECK(lora.lora_dropout >= 0 && lora.lora_dropout < 1, kInvalidArgument,
            "lora.lora_dropout {}: expected at least 0 and below 1", lora.lora_dropout);
  VL3_CHECK(!lora.target_modules.empty(), kInvalidArgument,
            "lora.target_modules is empty: name at least one linear");
  const std::vector<Trainable> all = linears(config);
  std::vector<bool> chosen(all.size());
  for (const std::string& target : lora.target_modules) {
    for (const bool decoder : {true, false}) {
      bool any = false;
      for (size_t i = 0; i < all.size(); ++i) {
        if (in_decoder(all[i].name) != decoder || !matches(target, all[i].name)) continue;
        chosen[i] = any = true;
      }
      if (any) break;
      VL3_CHECK(
          decoder, kInvalidArgument,
          "lora.target_modules: \"{}\" is no linear of this model; there are q_proj, k_proj, v_proj, o_proj, "
          "gate_proj, up_proj, down_proj in the decoder, out_proj, fc1, fc2 in the encoder, readout.0 … in "
          "the "
          "projector",
          target);
    }
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (chosen[i]) names.push_back(all[i].name);
  }
  return names;
}

std::vector<Trainable> adapter_parameters(const LoraConfig& lora, const weights::ModelConfig& config) {
  const std::vector<std::string> adapted = adapted_linears(lora, config);
  std::vector<Trainable> parameters;
  for (const Trainable& linear : linears(config)) {
    if (std::find(adapted.begin(), adapted.end(), linear.name) == adapted.end()) continue;
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
    generator.set_current_seed(seed ^ hash_of(name));
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
    if (linear.adapter.a.defined()) linear.adapter.seed = seed ^ hash_of(name);
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
