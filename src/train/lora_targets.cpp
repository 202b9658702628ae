#include "train/lora_targets.h"

#include "core/check.h"

namespace vl3::train {
namespace {

std::vector<std::string> components(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// The target's last component is the name's last; the others stand before it in their order.
bool matches(const std::string& target, const std::string& linear) {
  const std::vector<std::string> wanted = components(target), found = components(linear);
  if (wanted.back() != found.back()) return false;
  size_t next = 0;
  for (const std::string& part : found) {
    if (next < wanted.size() && part == wanted[next]) ++next;
  }
  return next == wanted.size();
}

bool in_decoder(const std::string& name) { return name.starts_with("model.language_model.layers."); }

std::vector<weights::ExpectedTensor> linears(const weights::ModelConfig& config) {
  constexpr std::string_view kWeight = ".weight";
  std::vector<weights::ExpectedTensor> found;
  for (weights::ExpectedTensor& tensor : weights::expected_tensors(config)) {
    const bool table = tensor.name.find("embed") != std::string::npos || tensor.name.starts_with("lm_head");
    if (tensor.shape.size() != 2 || table) continue;
    tensor.name.resize(tensor.name.size() - kWeight.size());
    found.push_back(std::move(tensor));
  }
  return found;
}

}  // namespace

std::vector<weights::ExpectedTensor> lora_linears(const LoraConfig& lora,
                                                  const weights::ModelConfig& config) {
  VL3_CHECK(!lora.target_modules.empty(), kInvalidArgument,
            "lora.target_modules is empty: name at least one linear");
  const std::vector<weights::ExpectedTensor> all = linears(config);
  std::vector<bool> chosen(all.size());
  for (const std::string& target : lora.target_modules) {
    bool any = false;
    for (const bool decoder : {true, false}) {
      if (any) break;
      for (size_t i = 0; i < all.size(); ++i) {
        if (in_decoder(all[i].name) == decoder && matches(target, all[i].name)) chosen[i] = any = true;
      }
    }
    VL3_CHECK(
        any, kInvalidArgument,
        "lora.target_modules: \"{}\" is no linear of this model; there are q_proj, k_proj, v_proj, o_proj, "
        "gate_proj, "
        "up_proj, down_proj in the decoder, out_proj, fc1, fc2 in the encoder, readout.0 … in the projector",
        target);
  }
  std::vector<weights::ExpectedTensor> out;
  for (size_t i = 0; i < all.size(); ++i) {
    if (chosen[i]) out.push_back(all[i]);
  }
  return out;
}

}  // namespace vl3::train
