#include "weights/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/file.h"
#include "support/temp_dir.h"
#include "weights/checkpoint.h"
#include "weights/random_init.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

Checkpoint opened(const fs::path& dir) { return Checkpoint::open(dir, load_model_config(dir)); }

void expect_same_bytes(const fs::path& a, const fs::path& b) {
  const Checkpoint first = opened(a), second = opened(b);
  ASSERT_EQ(first.tensors(), second.tensors());
  for (const ExpectedTensor& tensor : first.tensors()) {
    EXPECT_EQ(first.view(tensor.name).dtype, second.view(tensor.name).dtype) << tensor.name;
    ASSERT_EQ(test::bytes_of(first.view(tensor.name)), test::bytes_of(second.view(tensor.name)))
        << tensor.name;
  }
}

void expect_same_meaning(const ModelConfig& a, const ModelConfig& b) {
  EXPECT_EQ(expected_tensors(a), expected_tensors(b));
  EXPECT_EQ(a.text.rope_theta, b.text.rope_theta);
  EXPECT_EQ(a.text.rms_norm_eps, b.text.rms_norm_eps);
  EXPECT_EQ(a.text.tie_word_embeddings, b.text.tie_word_embeddings);
  EXPECT_EQ(a.text.max_position_embeddings, b.text.max_position_embeddings);
  EXPECT_EQ(a.vision.num_attention_heads, b.vision.num_attention_heads);
  EXPECT_EQ(a.vision.layer_norm_eps, b.vision.layer_norm_eps);
  EXPECT_EQ(a.image_token_id, b.image_token_id);
  EXPECT_EQ(a.video_token_id, b.video_token_id);
  EXPECT_EQ(a.generation.eos_token_id, b.generation.eos_token_id);
  EXPECT_EQ(a.generation.repetition_penalty, b.generation.repetition_penalty);
  EXPECT_EQ(a.preprocess.use_token_compression, b.preprocess.use_token_compression);
  EXPECT_EQ(a.preprocess.image_merge_size, b.preprocess.image_merge_size);
  EXPECT_EQ(a.preprocess.video_merge_size, b.preprocess.video_merge_size);
  if (a.layout == Flow::kRemote) {
    EXPECT_EQ(a.preprocess.min_tokens, b.preprocess.min_tokens);
    EXPECT_EQ(a.preprocess.max_tokens, b.preprocess.max_tokens);
  } else {
    EXPECT_EQ(a.preprocess.image_min_pixels, b.preprocess.image_min_pixels);
    EXPECT_EQ(a.preprocess.image_max_pixels, b.preprocess.image_max_pixels);
    EXPECT_EQ(a.preprocess.video_min_pixels, b.preprocess.video_min_pixels);
    EXPECT_EQ(a.preprocess.video_max_pixels, b.preprocess.video_max_pixels);
  }
}

TEST(GoldenConvert, RoundTripsKeepEveryByteAndSetting) {
  int seen = 0;
  for (const test::GoldenModel& model : test::golden_models()) {
    for (const fs::path& source : {model.remote, model.native}) {
      if (source.empty() || !fs::exists(source / "tokenizer.json")) continue;
      const TempDir dir;
      const ModelConfig config = load_model_config(source);
      const Flow other = config.layout == Flow::kRemote ? Flow::kNative : Flow::kRemote;
      const ConvertReport there = convert_checkpoint(source, dir / "there", {.to = other});
      convert_checkpoint(dir / "there", dir / "back", {.to = config.layout, .max_shard_size = 100'000});
      EXPECT_EQ(there.tensors, expected_tensors(config).size());
      EXPECT_EQ(load_model_config(dir / "there").layout, other);
      expect_same_bytes(source, dir / "back");
      expect_same_meaning(config, load_model_config(dir / "back"));
      ++seen;
    }
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no models with a tokenizer";
}

TEST(GoldenConvert, MeetsTheOtherLayoutsGolden) {
  int seen = 0;
  for (const test::GoldenModel& model : test::golden_models()) {
    if (model.native.empty() || model.remote.empty() || !fs::exists(model.native / "tokenizer.json"))
      continue;
    const TempDir dir;
    // Golden weights are bf16-representable, so rounding the float32 side gives the other side's bytes.
    const std::optional<DType> native = opened(model.native).dtype(), remote = opened(model.remote).dtype();
    convert_checkpoint(model.remote, dir / "native", {.to = Flow::kNative, .dtype = native});
    convert_checkpoint(model.native, dir / "remote", {.to = Flow::kRemote, .dtype = remote});
    expect_same_bytes(dir / "native", model.native);
    expect_same_bytes(dir / "remote", model.remote);
    expect_same_meaning(load_model_config(dir / "native"), load_model_config(model.native));
    expect_same_meaning(load_model_config(dir / "remote"), load_model_config(model.remote));
    // The added tokens get the ids that the remote golden has.
    EXPECT_EQ(read_json_file(dir / "remote/added_tokens.json"),
              read_json_file(model.remote / "added_tokens.json"));
    EXPECT_EQ(read_json_file(dir / "remote/tokenizer.json"), read_json_file(model.remote / "tokenizer.json"));
    EXPECT_EQ(read_json_file(dir / "remote/tokenizer_config.json"),
              read_json_file(model.remote / "tokenizer_config.json"));
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no model in both layouts";
}

// A random native model with a tokenizer of five tokens; damaged by the tests below.
class Convert : public ::testing::Test {
 protected:
  void SetUp() override { make(test::small_config(Flow::kNative, false)); }

  void make(ModelConfig config) {
    config.image_token_id = 3;
    config.video_token_id = 4;
    fs::remove_all(source_);
    write_random_checkpoint(config, source_, {.seed = 9, .dtype = DType::kF32});
    write("tokenizer.json", R"({"model": {"vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": [)"
                            R"({"id": 2, "content": "<|im_end|>"}, {"id": 3, "content": "<|image_pad|>"},)"
                            R"({"id": 4, "content": "<|video_pad|>"}]})");
    write("tokenizer_config.json",
          R"({"processor_class": "VideoLlama3Processor", "chat_template": "stale"})");
  }
  void write(const std::string& name, const std::string& content) { dir_.write("src/" + name, content); }
  void edit(const std::string& name, const std::string& pointer, const Json& value) {
    Json json = read_json_file(source_ / name);
    json[Json::json_pointer(pointer)] = value;
    write(name, json.dump());
  }
  std::string error(const ConvertOptions& options) {
    const std::string text = error_of([&] { convert_checkpoint(source_, dir_ / "out", options); });
    // Whatever went wrong, nothing may be left beside the source.
    EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator()), 1) << text;
    return text;
  }

  TempDir dir_;
  fs::path source_ = dir_ / "src";
};

TEST_F(Convert, GivesTheRemoteTokensTheNextFreeIds) {
  convert_checkpoint(source_, dir_ / "out", {.to = Flow::kRemote});
  EXPECT_EQ(load_model_config(dir_ / "out").image_token_id, 5);
  const Json added = read_json_file(dir_ / "out/added_tokens.json");
  EXPECT_EQ(added, Json::parse(R"({"<|im_end|>": 2, "<|image_pad|>": 3, "<|video_pad|>": 4, "<image>": 5,
                                   "<|stream_start|>": 6, "<|stream_end|>": 7})"));
  const Json config = read_json_file(dir_ / "out/tokenizer_config.json");
  EXPECT_EQ(config.at("processor_class"), "Videollama3Qwen2Processor");
  EXPECT_FALSE(config.contains("chat_template"));
  EXPECT_EQ(read_json_file(dir_ / "out/tokenizer.json").at("added_tokens").size(), 6u);
  // Going back leaves them there and finds native's own placeholders.
  convert_checkpoint(dir_ / "out", dir_ / "back", {.to = Flow::kNative});
  EXPECT_EQ(load_model_config(dir_ / "back").image_token_id, 3);
  EXPECT_EQ(load_model_config(dir_ / "back").video_token_id, 4);
  EXPECT_EQ(read_json_file(dir_ / "back/tokenizer.json").at("added_tokens").size(), 6u);
  // And a second time they are not added again.
  convert_checkpoint(dir_ / "back", dir_ / "again", {.to = Flow::kRemote});
  EXPECT_EQ(load_model_config(dir_ / "again").image_token_id, 5);
}

TEST_F(Convert, ReadsVocabAndMergesWhereThereIsNoTokenizerJson) {
  fs::remove(source_ / "tokenizer.json");
  write("vocab.json", R"({"a": 0, "b": 1, "c": 7})");
  write("merges.txt", "#version: 0.2\n");
  write("added_tokens.json", R"({"<|image_pad|>": 3, "<|video_pad|>": 4})");
  convert_checkpoint(source_, dir_ / "out", {.to = Flow::kRemote});
  EXPECT_EQ(load_model_config(dir_ / "out").image_token_id, 8);
  EXPECT_TRUE(fs::exists(dir_ / "out/merges.txt"));
}

TEST_F(Convert, RoundsToTheDtypeAskedForAndSaysSo) {
  const ConvertReport report =
      convert_checkpoint(source_, dir_ / "out", {.to = Flow::kNative, .dtype = DType::kBF16});
  EXPECT_EQ(report.dtype, DType::kBF16);
  EXPECT_EQ(read_json_file(dir_ / "out/config.json").at("dtype"), "bfloat16");
  const Checkpoint before = opened(source_), after = opened(dir_ / "out");
  EXPECT_EQ(report.bytes, after.size_bytes());
  EXPECT_EQ(before.size_bytes(), 2 * after.size_bytes());
  for (const ExpectedTensor& tensor : before.tensors()) {
    const std::vector<float> from = test::widened(before.view(tensor.name)),
                             to = test::widened(after.view(tensor.name));
    for (size_t i = 0; i < from.size(); ++i)
      ASSERT_LE(std::abs(from[i] - to[i]), std::abs(from[i]) / 256) << tensor.name;
  }
}

TEST_F(Convert, SameLayoutKeepsUnknownKeysAndTheOwnTemplate) {
  edit("config.json", "/text_config/note", "kept");
  edit("config.json", "/text_config/dtype", "float32");
  write("chat_template.jinja", "own");
  uint64_t last = 0, total = 1;
  convert_checkpoint(source_, dir_ / "out",
                     {.to = Flow::kNative,
                      .dtype = DType::kF16,
                      .max_shard_size = 2000,
                      .progress = [&](uint64_t done, uint64_t all) { last = done, total = all; }});
  EXPECT_EQ(last, total);
  const Json config = read_json_file(dir_ / "out/config.json");
  EXPECT_EQ(config.at("text_config").at("note"), "kept");
  EXPECT_EQ(config.at("text_config").at("dtype"), "float16");
  EXPECT_EQ(read_file(dir_ / "out/chat_template.jinja", 100), "own");
  EXPECT_TRUE(fs::exists(dir_ / "out/model.safetensors.index.json"));
}

TEST_F(Convert, MakesNativeConfigsDecodeWithACache) {
  convert_checkpoint(source_, dir_ / "remote", {.to = Flow::kRemote});
  Json config = read_json_file(dir_ / "remote/config.json");
  config["use_cache"] = false;  // as the released 2B file has it
  dir_.write("remote/config.json", config.dump());
  convert_checkpoint(dir_ / "remote", dir_ / "out", {.to = Flow::kNative});
  EXPECT_EQ(read_json_file(dir_ / "out/config.json").at("text_config").at("use_cache"), true);
}

TEST_F(Convert, RefusesWhatItCannotDoAndLeavesNothing) {
  EXPECT_NE(error({.to = Flow::kRemote, .dtype = DType::kI8}).find("choose float32"), std::string::npos);
  EXPECT_NE(error({.to = Flow::kRemote, .max_shard_size = 0}).find("max_shard_size 0"), std::string::npos);

  edit("video_preprocessor_config.json", "/max_pixels", 784 * 1000);
  EXPECT_NE(error({.to = Flow::kRemote}).find("one pair of whole token counts"), std::string::npos);
  edit("video_preprocessor_config.json", "/max_pixels", 12845056);

  edit("config.json", "/vision_config/rope_parameters", {{"rope_theta", 5.0}});
  EXPECT_NE(error({.to = Flow::kRemote}).find("vision rope_theta 5"), std::string::npos);

  make(test::small_config(Flow::kNative, false));
  edit("tokenizer.json", "/added_tokens/2/id", 31);
  EXPECT_NE(
      error({.to = Flow::kRemote}).find("token <|stream_start|> has id 33, but the embedding only 33 rows"),
      std::string::npos);
  write("added_tokens.json", R"({"<|image_pad|>": 9})");
  EXPECT_NE(error({.to = Flow::kRemote}).find("\"<|image_pad|>\" has id 9, another file says 3"),
            std::string::npos);
  fs::remove(source_ / "added_tokens.json");
  write("tokenizer.json", R"({"model": {"vocab": {"a": -1}}})");
  EXPECT_NE(error({.to = Flow::kRemote}).find("\"id\" is -1"), std::string::npos);
  write("tokenizer.json", R"({"model": {"vocab": []}})");
  EXPECT_NE(error({.to = Flow::kRemote}).find("the vocabulary is not an object"), std::string::npos);
  fs::remove(source_ / "tokenizer.json");
  EXPECT_NE(error({.to = Flow::kRemote}).find("no tokenizer.json or vocab.json"), std::string::npos);
  EXPECT_EQ(error_of([&] { convert_checkpoint(source_, dir_ / "same", {.to = Flow::kNative}); }), "");

  const std::string full =
      error_of([&] { convert_checkpoint(source_, dir_ / "same", {.to = Flow::kNative}); });
  EXPECT_NE(full.find("is not empty"), std::string::npos) << full;
  EXPECT_NE(
      error_of([&] { convert_checkpoint(source_, source_, {.to = Flow::kNative}); }).find("is not empty"),
      std::string::npos);
}

TEST_F(Convert, NamesAWeightBeyondFloat16) {
  make(test::small_config(Flow::kNative, false));
  const SafetensorsFile file(source_ / "model.safetensors");
  std::string raw = read_file(source_ / "model.safetensors", 10 << 20);
  const TensorView& norm = file.at("model.language_model.norm.weight");
  const float big = 70000;
  const uint64_t header = 8 + static_cast<unsigned char>(raw[0]) + 256u * static_cast<unsigned char>(raw[1]);
  // Where the norm lies, counted from the first tensor of the file.
  const std::byte* first = norm.data;
  for (const auto& [name, view] : file.tensors()) first = std::min(first, view.data);
  std::memcpy(raw.data() + header + (norm.data - first), &big, sizeof big);
  write("model.safetensors", raw);
  EXPECT_NE(error({.to = Flow::kNative, .dtype = DType::kF16})
                .find("tensor model.language_model.norm.weight: 1 weights are beyond the range of float16"),
            std::string::npos);
}

TEST_F(Convert, RemoteTokensMissingPlaceholderIsNamed) {
  convert_checkpoint(source_, dir_ / "remote", {.to = Flow::kRemote});
  for (const char* file : {"remote/added_tokens.json", "remote/tokenizer.json"}) {
    std::string text = read_file(dir_ / file, 1 << 20);
    for (size_t at; (at = text.find("<|video_pad|>")) != std::string::npos;)
      text.replace(at, 13, "<|other_pad|>");
    dir_.write(file, text);
  }
  EXPECT_NE(error_of([&] {
              convert_checkpoint(dir_ / "remote", dir_ / "out", {.to = Flow::kNative});
            }).find("the tokenizer has no token <|video_pad|>"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir_ / "out"));
}

}  // namespace
}  // namespace vl3::weights
