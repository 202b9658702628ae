#include "weights/hf_names.h"

#include <gtest/gtest.h>

#include <set>

#include "weights/small_model.h"

namespace vl3::weights {
namespace {

TEST(HfNames, EveryLayoutLeadsToTheCanonicalNameAndBack) {
  for (const bool tied : {false, true}) {
    std::set<std::string> remote_names;
    for (const ExpectedTensor& tensor : expected_tensors(test::small_config(Flow::kRemote, tied))) {
      const std::string remote = layout_name(tensor.name, Flow::kRemote);
      EXPECT_EQ(canonical_name(remote), tensor.name);
      EXPECT_EQ(canonical_name(tensor.name), tensor.name);
      EXPECT_EQ(layout_name(tensor.name, Flow::kNative), tensor.name);
      EXPECT_TRUE(remote_names.insert(remote).second) << remote;
    }
    EXPECT_EQ(remote_names.count("lm_head.weight"), tied ? 0u : 1u);
  }
}

// The spellings users meet in files; a changed row breaks their checkpoints.
TEST(HfNames, Table) {
  const struct {
    const char* file;
    const char* canonical;
  } rows[] = {
      {"model.vision_encoder.vision_encoder.encoder.layers.3.mlp.fc1.bias",
       "model.vision_model.encoder.layers.3.mlp.fc1.bias"},
      {"model.vision_encoder.embeddings.patch_embedding.weight",
       "model.vision_model.embeddings.patch_embedding.weight"},
      {"model.vision_encoder.post_layernorm.bias", "model.vision_model.post_layernorm.bias"},
      {"model.mm_projector.readout.2.weight", "model.projector.readout.2.weight"},
      {"model.mm_projector.weight", "model.projector.readout.0.weight"},
      {"model.embed_tokens.weight", "model.language_model.embed_tokens.weight"},
      {"model.layers.27.self_attn.o_proj.weight", "model.language_model.layers.27.self_attn.o_proj.weight"},
      {"model.norm.weight", "model.language_model.norm.weight"},
      {"model.language_model.norm.weight", "model.language_model.norm.weight"},
      {"lm_head.weight", "lm_head.weight"},
  };
  for (const auto& row : rows) EXPECT_EQ(canonical_name(row.file), row.canonical);
  for (const char* other :
       {"", "model", "model.rotary.inv_freq", "transformer.h.0.weight", "vision_encoder.x"}) {
    EXPECT_FALSE(canonical_name(other).has_value()) << other;
  }
}

// Spec 1.2: 436 vision, 4 projector, 338 language model, one head.
TEST(HfNames, CountsOfThe2BModel) {
  ModelConfig config;
  config.vision.num_hidden_layers = 27;
  config.text.num_hidden_layers = 28;
  config.text.tie_word_embeddings = true;
  EXPECT_EQ(expected_tensors(config).size(), 436u + 4u + 338u);
  config.text.tie_word_embeddings = false;
  EXPECT_EQ(expected_tensors(config).size(), 436u + 4u + 338u + 1u);
}

TEST(HfNames, ShapesFollowHeadsAndProjectorDepth) {
  ModelConfig config = test::small_config(Flow::kNative, false);
  config.mm_projector_type = "mlp3x_gelu";
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const ExpectedTensor& tensor : expected_tensors(config)) shapes[tensor.name] = tensor.shape;
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes["model.vision_model.embeddings.patch_embedding.weight"], (Shape{16, 3, 14, 14}));
  EXPECT_EQ(shapes["model.projector.readout.0.weight"], (Shape{12, 16}));
  EXPECT_EQ(shapes["model.projector.readout.4.weight"], (Shape{12, 12}));
  EXPECT_EQ(shapes["model.language_model.layers.1.self_attn.q_proj.weight"], (Shape{12, 12}));
  EXPECT_EQ(shapes["model.language_model.layers.1.self_attn.k_proj.bias"], (Shape{4}));
  EXPECT_EQ(shapes["lm_head.weight"], (Shape{33, 12}));
}

}  // namespace
}  // namespace vl3::weights
