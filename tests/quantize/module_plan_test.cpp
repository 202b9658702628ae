#include "quantize/module_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace vl3::quantize {
namespace {

weights::ModelConfig tiny() { return weights::load_model_config(VL3_SOURCE_DIR "/tests/data/seeded_tiny"); }

const Module& find(const std::vector<Module>& modules, const std::string& weight) {
  const auto found = std::ranges::find(modules, weight, &Module::weight);
  EXPECT_NE(found, modules.end()) << weight;
  return *found;
}

TEST(ModulePlan, HasEveryMatrixOfTheChosenParts) {
  const weights::ModelConfig config = tiny();
  const auto count = [&](Bits bits) { return plan_modules(config, bits).size(); };
  const auto layers = [](const auto& part) { return static_cast<size_t>(part.num_hidden_layers); };
  // Layers and projector; layers and the tied table.
  const size_t vision = layers(config.vision) * 6 + 2, lm = layers(config.text) * 7 + 1;
  EXPECT_EQ(count({.vision = 8, .lm = 8}), vision + lm);
  EXPECT_EQ(count({.vision = 8, .lm = 0}), vision);
  EXPECT_EQ(count({.vision = 0, .lm = 4, .group = 32}), lm);
}

TEST(ModulePlan, FourBitsWhereTheGroupFits) {
  weights::ModelConfig config = tiny();
  config.text.intermediate_size = 132;  // no multiple of 32
  const auto modules = plan_modules(config, {.vision = 8, .lm = 4, .group = 32});
  EXPECT_EQ(find(modules, "model.language_model.layers.1.mlp.up_proj.weight").scheme,
            (weights::QuantScheme{.bits = 4, .group = 32}));
  EXPECT_EQ(find(modules, "model.language_model.layers.1.mlp.down_proj.weight").scheme,
            weights::QuantScheme{});
  EXPECT_EQ(find(modules, "model.language_model.embed_tokens.weight").scheme, weights::QuantScheme{});
  EXPECT_TRUE(find(modules, "model.language_model.embed_tokens.weight").multiplied);
  config.text.tie_word_embeddings = false;
  const auto untied = plan_modules(config, {});
  EXPECT_FALSE(find(untied, "model.language_model.embed_tokens.weight").multiplied);
  EXPECT_TRUE(find(untied, "lm_head.weight").multiplied);
}

// Python's re.match of the patterns, and equality of the names, as readers of the format do.
bool matches(const std::string& target, const std::string& name) {
  if (!target.starts_with("re:")) return target == name;
  return std::regex_search(name, std::regex(target.substr(3)), std::regex_constants::match_continuous);
}

TEST(ModulePlan, GroupsNameEachModuleOnceAndNothingElse) {
  for (const Flow layout : {Flow::kNative, Flow::kRemote}) {
    const weights::ModelConfig config = tiny();
    const auto modules = plan_modules(config, {.vision = 8, .lm = 4, .group = 32});
    const auto groups = config_groups(modules, layout, /*tied_head=*/true);
    for (const weights::ExpectedTensor& tensor : weights::expected_tensors(config)) {
      std::string name = weights::layout_name(tensor.name, layout);
      if (!name.ends_with(".weight")) continue;
      name.resize(name.size() - 7);
      const auto module = std::ranges::find(modules, tensor.name, &Module::weight);
      int found = 0;
      for (const weights::QuantGroup& group : groups) {
        for (const std::string& target : group.targets) {
          if (!matches(target, name)) continue;
          ++found;
          ASSERT_NE(module, modules.end()) << name;
          EXPECT_EQ(group.scheme, module->scheme) << name;
          // Token ids are not to be rounded, and inputs of 4-bit weights are left to the reader.
          EXPECT_EQ(group.dynamic_inputs, module->scheme.bits == 8 && !name.ends_with("embed_tokens"))
              << name;
        }
      }
      EXPECT_EQ(found, module == modules.end() ? 0 : 1) << name;
    }
    EXPECT_TRUE(std::ranges::any_of(groups, [](const weights::QuantGroup& group) {
      return group.dynamic_inputs && std::ranges::find(group.targets, "lm_head") != group.targets.end();
    }));
  }
}

}  // namespace
}  // namespace vl3::quantize
