#include "weights/random_init.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/temp_dir.h"
#include "weights/checkpoint.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;

Checkpoint opened(const std::filesystem::path& dir) { return Checkpoint::open(dir, load_model_config(dir)); }

TEST(RandomInit, DependsOnSeedAndNameNotOnLayoutDtypeOrSharding) {
  const TempDir dir;
  write_random_checkpoint(test::small_config(Flow::kRemote, false), dir / "a",
                          {.seed = 5, .dtype = DType::kF32});
  write_random_checkpoint(test::small_config(Flow::kNative, false), dir / "b",
                          {.seed = 5, .dtype = DType::kF32, .max_shard_size = 5000});
  write_random_checkpoint(test::small_config(Flow::kNative, false), dir / "c",
                          {.seed = 6, .dtype = DType::kF32});
  const Checkpoint a = opened(dir / "a"), b = opened(dir / "b"), c = opened(dir / "c");
  std::set<std::string> contents;
  for (const ExpectedTensor& tensor : a.tensors()) {
    EXPECT_EQ(test::bytes_of(a.view(tensor.name)), test::bytes_of(b.view(tensor.name))) << tensor.name;
    if (tensor.name.ends_with("_proj.weight")) {
      EXPECT_NE(test::bytes_of(a.view(tensor.name)), test::bytes_of(c.view(tensor.name))) << tensor.name;
      EXPECT_TRUE(contents.insert(test::bytes_of(a.view(tensor.name))).second)
          << tensor.name << " repeats another";
    }
  }
}

TEST(RandomInit, WeightsAreNormalNormsOneBiasesZero) {
  ModelConfig config = test::small_config(Flow::kNative, false);
  config.text.vocab_size = 40'000;  // enough draws to judge, and no multiple of four in the bias-free rest
  const TempDir dir;
  write_random_checkpoint(config, dir / "m", {.seed = 1, .dtype = DType::kF32, .std = 0.5});
  const Checkpoint checkpoint = opened(dir / "m");
  for (const float value : test::widened(checkpoint.view("model.language_model.norm.weight")))
    EXPECT_EQ(value, 1.0f);
  for (const float value : test::widened(checkpoint.view("model.vision_model.post_layernorm.bias")))
    EXPECT_EQ(value, 0.0f);
  double sum = 0, square = 0, fourth = 0;
  int beyond_two = 0;
  const std::vector<float> values =
      test::widened(checkpoint.view("model.language_model.embed_tokens.weight"));
  for (const float value : values) {
    const double z = value / 0.5;
    sum += z;
    square += z * z;
    fourth += z * z * z * z;
    beyond_two += std::abs(z) > 2;
  }
  const auto n = static_cast<double>(values.size());  // 480,000: standard errors about 0.0015, 0.002, 0.014
  EXPECT_NEAR(sum / n, 0, 0.008);
  EXPECT_NEAR(square / n, 1, 0.01);
  EXPECT_NEAR(fourth / n, 3, 0.07);
  EXPECT_NEAR(beyond_two / n, 0.0455, 0.0015);
}

TEST(RandomInit, ProjectionsIntoTheResidualStreamCanBeScaled) {
  const ModelConfig config = test::small_config(Flow::kNative, false);  // 2 decoder layers, 1 encoder layer
  const TempDir dir;
  write_random_checkpoint(config, dir / "plain", {.seed = 1, .dtype = DType::kF32});
  write_random_checkpoint(config, dir / "scaled", {.seed = 1, .dtype = DType::kF32, .scale_residual = true});
  const Checkpoint plain = opened(dir / "plain"), scaled = opened(dir / "scaled");
  for (const ExpectedTensor& tensor : plain.tensors()) {
    float factor = 1;
    for (const char* name : {".o_proj.weight", ".down_proj.weight"}) {
      if (tensor.name.ends_with(name)) factor = 0.5f;
    }
    for (const char* name : {".out_proj.weight", ".fc2.weight"}) {
      if (tensor.name.ends_with(name)) factor = std::sqrt(0.5f);
    }
    const std::vector<float> a = test::widened(plain.view(tensor.name)),
                             b = test::widened(scaled.view(tensor.name));
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(b[i], factor * a[i], 1e-6f) << tensor.name;
  }
}

TEST(RandomInit, WritesAFolderThatReadsBackAsItsConfig) {
  for (const Flow layout : {Flow::kRemote, Flow::kNative}) {
    const ModelConfig config = test::small_config(layout, true);
    const TempDir dir;
    write_random_checkpoint(config, dir / "m", {});
    const ModelConfig read = load_model_config(dir / "m");
    EXPECT_EQ(read.layout, layout);
    EXPECT_EQ(read.torch_dtype, "bfloat16");
    EXPECT_EQ(read.image_token_id, config.image_token_id);
    EXPECT_EQ(read.video_token_id, config.video_token_id);
    EXPECT_EQ(read.generation.eos_token_id, config.generation.eos_token_id);
    EXPECT_EQ(read.preprocess.max_tokens, config.preprocess.max_tokens);
    EXPECT_EQ(read.preprocess.image_max_pixels, config.preprocess.image_max_pixels);
    EXPECT_EQ(expected_tensors(read), expected_tensors(config));
  }
}

TEST(RandomInit, FromAFolderCopiesWhatIsBesideTheWeights) {
  const TempDir dir;
  dir.write("src/config.json", test::small_config_json(Flow::kNative).dump());
  dir.write("src/generation_config.json", R"({"eos_token_id": 4})");
  dir.write("src/tokenizer.json", R"({"model": {"vocab": {"a": 0}}})");
  dir.write("src/chat_template.jinja", "own");
  write_random_checkpoint(dir / "src", dir / "m", {.dtype = DType::kF16});
  EXPECT_EQ(load_model_config(dir / "m").generation.eos_token_id, std::vector<int64_t>{4});
  EXPECT_EQ(load_model_config(dir / "m").torch_dtype, "float16");
  EXPECT_EQ(read_file(dir / "m/chat_template.jinja", 100), "own");
  EXPECT_TRUE(std::filesystem::exists(dir / "m/tokenizer.json"));
}

TEST(RandomInit, LeavesNothingBehindARefusedConfig) {
  const TempDir dir;
  ModelConfig config = test::small_config(Flow::kNative, false);
  config.text.num_key_value_heads = 2;
  EXPECT_NE(error_of([&] { write_random_checkpoint(config, dir / "m", {}); }).find("is not a multiple"),
            std::string::npos);
  config = test::small_config(Flow::kNative, false);
  config.mm_projector_type = "mlp3x_gelu";
  EXPECT_NE(error_of([&] { write_random_checkpoint(config, dir / "m", {}); }).find("native layout has only"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              write_random_checkpoint(test::small_config(Flow::kNative, false), dir / "m",
                                      {.dtype = DType::kI8});
            }).find("choose float32"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace vl3::weights
