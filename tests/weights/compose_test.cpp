#include "weights/compose.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/file.h"
#include "support/temp_dir.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/python.h"
#include "weights/random_init.h"
#include "weights/safetensors_writer.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

Checkpoint opened(const fs::path& dir) { return Checkpoint::open(dir, load_model_config(dir)); }

// One .safetensors file of the given tensors.
void write_tensors(const fs::path& file, const std::vector<std::pair<TensorInfo, std::string>>& tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& [info, bytes] : tensors) infos.push_back(info);
  SafetensorsWriter writer(file, infos);
  for (const auto& [info, bytes] : tensors) writer.append(std::as_bytes(std::span(bytes)));
  writer.commit();
}

// A SigLIP and a Qwen2 folder cut out of one random model of this project, so that what comes out is known.
class Compose : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = test::small_config(Flow::kRemote, true);
    write_random_checkpoint(config_, dir_ / "whole", {.seed = 3, .dtype = DType::kBF16});
    write_siglip("vision_model.", true);
    write_lm();
  }

  // @param full  SiglipModel with its text tower, else SiglipVisionModel.
  void write_siglip(const std::string& prefix, bool full) {
    fs::remove_all(dir_ / "siglip");
    const Json vision = {{"model_type", "siglip_vision_model"},
                         {"hidden_size", 16},
                         {"intermediate_size", 20},
                         {"num_hidden_layers", 1},
                         {"num_attention_heads", 2},
                         {"patch_size", 14},
                         {"image_size", 28}};
    dir_.write(
        "siglip/config.json",
        (full ? Json{{"model_type", "siglip"}, {"vision_config", vision}, {"text_config", Json::object()}}
              : vision)
            .dump());
    std::vector<std::pair<TensorInfo, std::string>> tensors;
    const Checkpoint whole = opened(dir_ / "whole");
    for (const ExpectedTensor& tensor : whole.tensors()) {
      const std::string top = "model.vision_model.";
      if (!tensor.name.starts_with(top)) continue;
      tensors.push_back({{prefix + tensor.name.substr(top.size()), DType::kBF16, tensor.shape},
                         test::bytes_of(whole.view(tensor.name))});
    }
    tensors.push_back(
        {{prefix + "embeddings.position_embedding.weight", DType::kBF16, {4, 16}}, std::string(128, 'x')});
    tensors.push_back({{prefix + "head.probe", DType::kBF16, {1, 1, 16}}, std::string(32, 'x')});
    if (full) {
      tensors.push_back({{"text_model.final_layer_norm.weight", DType::kBF16, {16}}, std::string(32, 'x')});
      tensors.push_back({{"logit_scale", DType::kBF16, {1}}, std::string(2, 'x')});
    }
    write_tensors(dir_ / "siglip/model.safetensors", tensors);
  }

  void write_lm(int64_t vocab = 33, const std::string& extra_token = "") {
    fs::remove_all(dir_ / "lm");
    Json config = test::small_config_json(Flow::kRemote);
    for (const char* key : {"vision_encoder", "vision_encoder_config", "image_token_index"})
      config.erase(key);
    config.update({{"model_type", "qwen2"},
                   {"tie_word_embeddings", true},
                   {"vocab_size", vocab},
                   {"eos_token_id", 2},
                   {"bos_token_id", 1}});
    dir_.write("lm/config.json", config.dump());
    dir_.write("lm/generation_config.json",
               R"({"do_sample": true, "temperature": 0.7, "top_k": 20, "eos_token_id": [2, 0]})");
    dir_.write(
        "lm/tokenizer.json",
        R"({"model": {"vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": [{"id": 2, "content": "<|im_end|>"},)" +
            extra_token +
            R"({"id": 28, "content": "<|image_pad|>"}, {"id": 29, "content": "<|video_pad|>"}]})");
    dir_.write("lm/tokenizer_config.json",
               R"({"chat_template": "plain", "tokenizer_class": "Qwen2Tokenizer"})");
    std::vector<std::pair<TensorInfo, std::string>> tensors;
    const Checkpoint whole = opened(dir_ / "whole");
    for (const ExpectedTensor& tensor : whole.tensors()) {
      if (!tensor.name.starts_with("model.language_model.")) continue;
      tensors.push_back({{layout_name(tensor.name, Flow::kRemote), DType::kBF16, tensor.shape},
                         test::bytes_of(whole.view(tensor.name))});
    }
    // Some files of tied models carry the head as well.
    tensors.push_back({{"lm_head.weight", DType::kBF16, {33, 12}}, std::string(33 * 12 * 2, 'h')});
    write_tensors(dir_ / "lm/model.safetensors", tensors);
  }

  ComposeReport compose(const std::string& out, const ComposeOptions& options = {}) {
    return compose_checkpoint(dir_ / "siglip", dir_ / "lm", dir_ / out, options);
  }
  std::string error() {
    const std::string text = error_of([&] { compose("bad"); });
    EXPECT_FALSE(fs::exists(dir_ / "bad"));
    return text;
  }
  void expect_parts_of_whole(const fs::path& out) {
    const Checkpoint made = opened(out), whole = opened(dir_ / "whole");
    EXPECT_EQ(made.tensors(), whole.tensors());
    for (const ExpectedTensor& tensor : whole.tensors()) {
      if (tensor.name.find("projector") != std::string::npos) continue;
      EXPECT_EQ(test::bytes_of(made.view(tensor.name)), test::bytes_of(whole.view(tensor.name)))
          << tensor.name;
    }
  }

  TempDir dir_;
  ModelConfig config_;
};

TEST_F(Compose, TakesTowerAndDecoderAsTheyAre) {
  const ComposeReport report = compose("out");
  EXPECT_EQ(report.dtype, DType::kBF16);
  EXPECT_EQ(report.tensors, expected_tensors(config_).size());
  EXPECT_EQ(
      std::set<std::string>(report.dropped.begin(), report.dropped.end()),
      (std::set<std::string>{"vision_model.embeddings.position_embedding.weight", "vision_model.head.probe",
                             "text_model.final_layer_norm.weight", "logit_scale", "lm_head.weight"}));
  expect_parts_of_whole(dir_ / "out");
  const ModelConfig made = load_model_config(dir_ / "out");
  EXPECT_EQ(made.layout, Flow::kRemote);
  EXPECT_EQ(made.image_token_id, 30);
  EXPECT_EQ(made.preprocess.max_tokens, 16384);
  EXPECT_EQ(made.preprocess.max_frames, 180);
  EXPECT_TRUE(made.generation.do_sample);
  EXPECT_EQ(made.generation.eos_token_id, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(read_json_file(dir_ / "out/config.json").at("bos_token_id"), 1);
  const Json added = read_json_file(dir_ / "out/added_tokens.json");
  EXPECT_EQ(added.at("<image>"), 30);
  EXPECT_EQ(added.at("<|stream_start|>"), 31);
  EXPECT_EQ(added.at("<|stream_end|>"), 32);
  EXPECT_FALSE(read_json_file(dir_ / "out/tokenizer_config.json").contains("chat_template"));
  EXPECT_TRUE(fs::exists(dir_ / "out/chat_template.json"));
}

TEST_F(Compose, TheNativeLayoutHasItsOwnPlaceholdersAndTheStreamTokens) {
  compose("out", {.to = Flow::kNative});
  expect_parts_of_whole(dir_ / "out");
  const ModelConfig made = load_model_config(dir_ / "out");
  EXPECT_EQ(made.layout, Flow::kNative);
  EXPECT_EQ(made.image_token_id, 28);
  EXPECT_EQ(made.video_token_id, 29);
  EXPECT_EQ(read_json_file(dir_ / "out/added_tokens.json").at("<|stream_start|>"), 31);
  // The same model as the remote one converted.
  compose("remote");
  convert_checkpoint(dir_ / "remote", dir_ / "converted", {.to = Flow::kNative});
  const Checkpoint direct = opened(dir_ / "out"), converted = opened(dir_ / "converted");
  for (const ExpectedTensor& tensor : direct.tensors()) {
    EXPECT_EQ(test::bytes_of(direct.view(tensor.name)), test::bytes_of(converted.view(tensor.name)));
  }
  EXPECT_EQ(read_json_file(dir_ / "out/config.json"), read_json_file(dir_ / "converted/config.json"));
  EXPECT_EQ(read_json_file(dir_ / "out/tokenizer.json"), read_json_file(dir_ / "converted/tokenizer.json"));
}

TEST_F(Compose, TheProjectorIsSeededAndUniform) {
  compose("one", {.dtype = DType::kF32, .seed = 1});
  compose("again", {.dtype = DType::kF32, .seed = 1});
  compose("two", {.dtype = DType::kF32, .seed = 2});
  const Checkpoint one = opened(dir_ / "one"), again = opened(dir_ / "again"), two = opened(dir_ / "two");
  for (const auto& [name, bound] : {std::pair{"model.projector.readout.0.weight", 0.25},
                                    {"model.projector.readout.0.bias", 0.25},
                                    {"model.projector.readout.2.weight", 1 / std::sqrt(12.0)},
                                    {"model.projector.readout.2.bias", 1 / std::sqrt(12.0)}}) {
    EXPECT_EQ(test::bytes_of(one.view(name)), test::bytes_of(again.view(name)));
    EXPECT_NE(test::bytes_of(one.view(name)), test::bytes_of(two.view(name)));
    double sum_squares = 0, largest = 0;
    const std::vector<float> values = test::widened(one.view(name));
    for (const float value : values) {
      sum_squares += static_cast<double>(value) * value;
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    EXPECT_LE(largest, bound);
    if (values.size() > 100) {
      EXPECT_NEAR(sum_squares / static_cast<double>(values.size()), bound * bound / 3, bound * bound / 10)
          << name;
    }
  }
}

TEST_F(Compose, AcceptsTowersInTheirOtherFolders) {
  for (const char* prefix : {"", "vision_encoder.", "vision_encoder.vision_encoder.", "vision_model."}) {
    write_siglip(prefix, false);
    fs::remove_all(dir_ / "out");
    compose("out");
    expect_parts_of_whole(dir_ / "out");
  }
  Json config = read_json_file(dir_ / "siglip/config.json");
  config["model_type"] = "videollama3_vision_encoder";
  dir_.write("siglip/config.json", config.dump());
  compose("navit");
  expect_parts_of_whole(dir_ / "navit");
  // The encoder of a whole VideoLLaMA3 model, in either layout.
  compose_checkpoint(dir_ / "whole", dir_ / "lm", dir_ / "from-remote", {});
  expect_parts_of_whole(dir_ / "from-remote");
}

TEST_F(Compose, AnEmbeddingWithoutRoomIsAnError) {
  write_lm(33, R"({"id": 31, "content": "<|other|>"},)");
  EXPECT_NE(error().find("token <|stream_start|> has id 33, but the embedding only 33 rows"),
            std::string::npos)
      << error();
}

TEST_F(Compose, WhatDoesNotFitIsAnError) {
  const auto edit = [&](const std::string& file, const std::string& pointer, const Json& value) {
    Json json = read_json_file(dir_ / file);
    json[Json::json_pointer(pointer)] = value;
    dir_.write(file, json.dump());
  };
  edit("siglip/config.json", "/vision_config/num_hidden_layers", 2);
  EXPECT_NE(error().find("the weights lack model.vision_model.encoder.layers.1."), std::string::npos)
      << error();
  edit("siglip/config.json", "/vision_config/num_hidden_layers", 1);
  edit("siglip/config.json", "/vision_config/patch_size", 16);
  EXPECT_NE(error().find("has shape [16, 3, 14, 14], its config says [16, 3, 16, 16]"), std::string::npos)
      << error();
  edit("siglip/config.json", "/vision_config/patch_size", 14);
  edit("siglip/config.json", "/model_type", "clip");
  EXPECT_NE(error().find("model_type \"clip\" is no vision tower"), std::string::npos) << error();
  edit("siglip/config.json", "/model_type", "siglip");
  edit("lm/config.json", "/num_hidden_layers", 1);
  EXPECT_NE(
      error().find("tensors that its config has no place for, the first is model.language_model.layers.1."),
      std::string::npos)
      << error();
  edit("lm/config.json", "/num_hidden_layers", 2);
  edit("lm/config.json", "/model_type", "llama");
  EXPECT_NE(error().find("model_type \"llama\" is not supported"), std::string::npos) << error();
  edit("lm/config.json", "/model_type", "qwen2");
  fs::remove(dir_ / "lm/tokenizer.json");
  EXPECT_NE(error().find("no tokenizer.json"), std::string::npos) << error();
  fs::remove(dir_ / "lm/config.json");
  EXPECT_NE(error().find("expected the folder of a Qwen2 or Qwen2.5 model"), std::string::npos) << error();
}

TEST(ComposeLive, TransformersOwnSiglipAndQwen2BecomeAModelItLoads) {
  const TempDir dir;
  auto result = test::run_python("compose_with_transformers.py", {"make", dir.path().string()});
  if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
  ASSERT_EQ(result.status, 0) << result.output;
  for (const char* tower : {"siglip", "siglip_vision"}) {
    const std::string out = std::string("out-") + tower;
    compose_checkpoint(dir / tower, dir / "lm", dir / out, {.to = Flow::kNative, .seed = 5});
    result = test::run_python("compose_with_transformers.py",
                              {"check", dir.path().string(), tower, (dir / out).string()});
    EXPECT_EQ(result.status, 0) << result.output;
  }
}

}  // namespace
}  // namespace vl3::weights
