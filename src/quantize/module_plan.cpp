#include "quantize/module_plan.h"

#include <algorithm>
#include <cctype>

#include "core/check.h"

namespace vl3::quantize {
namespace {

constexpr const char* kTable = "model.language_model.embed_tokens.weight";
constexpr const char* kHead = "lm_head.weight";

// "model.layers.11.mlp.up_proj" as a pattern of all layers.
std::string pattern_of(const std::string& module) {
  std::string pattern = "re:^";
  for (size_t i = 0; i < module.size(); ++i) {
    if (module[i] == '.') {
      pattern += "\\.";
    } else if (std::isdigit(static_cast<unsigned char>(module[i])) && module[i - 1] == '.') {
      pattern += "\\d+";
      while (i + 1 < module.size() && module[i + 1] != '.') ++i;
    } else {
      pattern += module[i];
    }
  }
  return pattern + "$";
}

}  // namespace

const char* part_name(Part part) {
  constexpr const char* kNames[] = {"vision", "projector", "lm", "embeddings"};
  return kNames[static_cast<size_t>(part)];
}

Part part_of(const std::string& weight) {
  if (weight == kTable || weight == kHead) return Part::kEmbeddings;
  if (weight.starts_with("model.vision_model.")) return Part::kVision;
  return weight.starts_with("model.projector.") ? Part::kProjector : Part::kLanguageModel;
}

std::vector<Module> plan_modules(const weights::ModelConfig& config, const Bits& bits) {
  std::vector<Module> modules;
  for (const weights::ExpectedTensor& tensor : weights::expected_tensors(config)) {
    if (tensor.shape.size() != 2 || !tensor.name.ends_with(".weight")) continue;
    Module module{
        .weight = tensor.name, .part = part_of(tensor.name), .out = tensor.shape[0], .in = tensor.shape[1]};
    const bool visual = module.part == Part::kVision || module.part == Part::kProjector;
    const int wanted = visual ? bits.vision : bits.lm;
    if (wanted == 0) continue;
    if (wanted == 4 && module.part == Part::kLanguageModel && module.in % bits.group == 0)
      module.scheme = {.bits = 4, .group = bits.group};
    module.multiplied = module.weight != kTable || config.text.tie_word_embeddings;
    modules.push_back(std::move(module));
  }
  return modules;
}

std::vector<weights::QuantGroup> config_groups(const std::vector<Module>& modules, Flow layout,
                                               bool tied_head) {
  std::vector<weights::QuantGroup> groups;
  const auto add = [&](const weights::QuantScheme& scheme, bool dynamic_inputs, const std::string& target) {
    auto group = std::ranges::find_if(groups, [&](const weights::QuantGroup& g) {
      return g.scheme == scheme && g.dynamic_inputs == dynamic_inputs;
    });
    if (group == groups.end()) group = groups.insert(group, {{}, scheme, dynamic_inputs});
    if (std::ranges::find(group->targets, target) == group->targets.end()) group->targets.push_back(target);
  };
  for (const Module& module : modules) {
    const std::string file = weights::layout_name(module.weight, layout);
    const std::string name = file.substr(0, file.size() - std::string_view(".weight").size());
    // A table's inputs are ids. Of 4-bit weights readers multiply plain inputs.
    const bool dynamic = module.scheme.bits == 8 && module.weight != kTable;
    add(module.scheme, dynamic, module.part == Part::kEmbeddings ? name : pattern_of(name));
    if (module.weight == kTable && tied_head) add(module.scheme, true, "lm_head");
  }
  return groups;
}

}  // namespace vl3::quantize
