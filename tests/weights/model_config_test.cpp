#include "weights/model_config.h"

#include <gtest/gtest.h>

#include <random>

#include "support/temp_dir.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::small_config_json;
using test::TempDir;

ModelConfig load(const TempDir& dir, const Json& config) {
  dir.write("config.json", config.dump());
  return load_model_config(dir.path());
}

TEST(ModelConfig, RemoteDefaultsWithoutTheOtherFiles) {
  const TempDir dir;
  const ModelConfig config = load(dir, small_config_json(Flow::kRemote));
  EXPECT_EQ(config.layout, Flow::kRemote);
  EXPECT_EQ(config.preprocess.flow, Flow::kRemote);
  EXPECT_EQ(config.vision.num_channels, 3);
  EXPECT_EQ(config.vision.hidden_act, "gelu_pytorch_tanh");
  EXPECT_EQ(config.text.head_dim, 4);
  EXPECT_EQ(config.text.rope_theta, 1e6);
  EXPECT_EQ(config.mm_projector_type, "mlp2x_gelu");
  EXPECT_EQ(config.torch_dtype, "bfloat16");
  EXPECT_EQ(config.image_token_id, 30);
  EXPECT_EQ(config.video_token_id, 30);
  EXPECT_EQ(config.preprocess.min_tokens, 16);
  EXPECT_EQ(config.preprocess.max_tokens, 16384);
  EXPECT_EQ(config.preprocess.max_frames, 128);
  EXPECT_TRUE(config.preprocess.use_token_compression);
  EXPECT_FALSE(config.generation.do_sample);
  EXPECT_TRUE(config.generation.eos_token_id.empty());
}

TEST(ModelConfig, NativeDefaultsWithoutTheOtherFiles) {
  const TempDir dir;
  Json json = small_config_json(Flow::kNative);
  json["text_config"]["eos_token_id"] = 7;
  json["model_type"] = "videollama3";  // early uploads
  const ModelConfig config = load(dir, json);
  EXPECT_EQ(config.layout, Flow::kNative);
  EXPECT_EQ(config.video_token_id, 31);
  EXPECT_EQ(config.preprocess.image_max_pixels, 3211264);
  EXPECT_EQ(config.preprocess.video_max_pixels, 12845056);
  EXPECT_EQ(config.preprocess.max_frames, 180);
  EXPECT_EQ(config.preprocess.min_frames, 4);
  EXPECT_EQ(config.generation.eos_token_id, std::vector<int64_t>{7});
}

TEST(ModelConfig, EitherTieFlagTies) {
  const TempDir dir;
  Json json = small_config_json(Flow::kNative);
  EXPECT_FALSE(load(dir, json).text.tie_word_embeddings);
  json["tie_word_embeddings"] = true;
  EXPECT_TRUE(load(dir, json).text.tie_word_embeddings);
  json["tie_word_embeddings"] = false;
  json["text_config"]["tie_word_embeddings"] = true;
  EXPECT_TRUE(load(dir, json).text.tie_word_embeddings);
}

TEST(ModelConfig, ReadsWhatTransformers5Writes) {
  const TempDir dir;
  Json json = small_config_json(Flow::kNative);
  json["text_config"].erase("rope_theta");
  json["text_config"]["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 12345.0}};
  json["text_config"]["layer_types"] = {"full_attention", "full_attention"};
  json["vision_config"]["rope_parameters"] = {{"rope_type", "axial"}, {"rope_theta", 500.0}};
  json["vision_config"]["patch_size"] = {14, 14};
  dir.write("processor_config.json",
            R"({"processor_class": "VideoLlama3Processor",
                "image_processor": {"merge_size": 1, "size": {"shortest_edge": 3136, "longest_edge": 50176}},
                "video_processor": {"merge_size": 2, "size": {"shortest_edge": 12544, "longest_edge": 200704},
                                    "max_frames": 33, "min_frames": 2, "use_token_compression": false}})");
  dir.write("preprocessor_config.json", R"({"min_pixels": 1, "max_pixels": 2})");  // the nested one wins
  const ModelConfig config = load(dir, json);
  EXPECT_EQ(config.text.rope_theta, 12345.0);
  EXPECT_EQ(config.vision.rope_theta, 500.0);
  EXPECT_EQ(config.vision.patch_size, 14);
  EXPECT_EQ(config.preprocess.image_min_pixels, 3136);
  EXPECT_EQ(config.preprocess.image_max_pixels, 50176);
  EXPECT_EQ(config.preprocess.video_max_pixels, 200704);
  EXPECT_EQ(config.preprocess.max_frames, 33);
  EXPECT_EQ(config.preprocess.min_frames, 2);
  EXPECT_FALSE(config.preprocess.use_token_compression);
}

TEST(ModelConfig, ClassDefaultsHoldWhereAFileNamesNoLimit) {
  const TempDir dir;
  dir.write("preprocessor_config.json", "{}");
  dir.write("video_preprocessor_config.json", "{}");
  const ModelConfig config = load(dir, small_config_json(Flow::kNative));
  EXPECT_EQ(config.preprocess.image_max_pixels, 28 * 28 * 1280);
  EXPECT_EQ(config.preprocess.video_min_pixels, 128 * 28 * 28);
  EXPECT_EQ(config.preprocess.video_max_pixels, 28 * 28 * 768);
}

TEST(ModelConfig, GenerationDefaults) {
  const TempDir dir;
  dir.write(
      "generation_config.json",
      R"({"do_sample": true, "temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.05, "eos_token_id": [3, 1]})");
  Json json = small_config_json(Flow::kRemote);
  json["eos_token_id"] = 9;
  const GenerationDefaults generation = load(dir, json).generation;
  EXPECT_TRUE(generation.do_sample);
  EXPECT_EQ(generation.temperature, 0.7);
  EXPECT_EQ(generation.top_p, 0.8);
  EXPECT_EQ(generation.top_k, 50);
  EXPECT_EQ(generation.repetition_penalty, 1.05);
  EXPECT_EQ(generation.eos_token_id, (std::vector<int64_t>{3, 1}));
  dir.write("generation_config.json", R"({"eos_token_id": 5})");
  EXPECT_EQ(load(dir, json).generation.eos_token_id, std::vector<int64_t>{5});
}

TEST(ModelConfig, ProjectorDepth) {
  EXPECT_EQ(projector_depth("linear"), 1);
  EXPECT_EQ(projector_depth("mlp1x_gelu"), 1);
  EXPECT_EQ(projector_depth("mlp2x_gelu"), 2);
  for (const char* other :
       {"", "mlp", "mlpx_gelu", "mlp0x_gelu", "mlp9x_gelu", "mlp22x_gelu", "mlp2x_relu", "spp_conv"}) {
    EXPECT_NE(error_of([&] { projector_depth(other); }).find("is not supported"), std::string::npos) << other;
  }
}

TEST(ModelConfig, MissingFolderAndFile) {
  const TempDir dir;
  EXPECT_NE(error_of([&] { load_model_config(dir / "none"); }).find("no such model folder"),
            std::string::npos);
  EXPECT_NE(error_of([&] { load_model_config(dir.path()); }).find("no config.json here"), std::string::npos);
}

struct Row {
  const char* pointer;  ///< where in config.json, as a JSON pointer
  Json value;           ///< discarded(): the key is erased
  const char* error;
};

const Json kErased = Json(Json::value_t::discarded);

void expect_refused(Flow layout, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const TempDir dir;
    Json json = small_config_json(layout);
    const Json::json_pointer at(row.pointer);
    if (row.value.is_discarded()) {
      json[at.parent_pointer()].erase(at.back());
    } else {
      json[at] = row.value;
    }
    const std::string error = error_of([&] { load(dir, json); });
    EXPECT_NE(error.find(row.error), std::string::npos) << row.pointer << ": " << error;
    EXPECT_NE(error.find("config.json"), std::string::npos) << error;
  }
}

TEST(ModelConfig, RefusesRemoteConfigsOutOfRange) {
  expect_refused(
      Flow::kRemote,
      {
          {"/model_type", "llava", "unsupported: "},
          {"/model_type", kErased, "\"model_type\" is missing"},
          {"/model_type", 3, "must be a string"},
          {"/hidden_size", kErased, "\"hidden_size\" is missing"},
          {"/hidden_size", 0, "\"hidden_size\" is 0, outside"},
          {"/hidden_size", -12, "\"hidden_size\" is -12"},
          {"/hidden_size", 1e9, "must be an integer"},
          {"/hidden_size", 1'000'000'000, "outside 1..131072"},
          {"/hidden_size", 13, "hidden_size 13 is not a multiple of num_attention_heads 3"},
          {"/intermediate_size", "20", "must be an integer, found \"20\""},
          {"/intermediate_size", 0, "\"intermediate_size\" is 0"},
          {"/num_hidden_layers", 100'000, "\"num_hidden_layers\" is 100000"},
          {"/num_attention_heads", 0, "\"num_attention_heads\" is 0"},
          {"/num_key_value_heads", 2, "num_attention_heads 3 is not a multiple of num_key_value_heads 2"},
          {"/num_key_value_heads", 0, "\"num_key_value_heads\" is 0"},
          {"/head_dim", 5, "head_dim 5 is odd"},
          {"/num_attention_heads", 4, "head_dim 3 is odd"},
          {"/vocab_size", 18446744073709551615u, "must be an integer"},
          {"/vocab_size", 0, "\"vocab_size\" is 0"},
          {"/max_position_embeddings", 0, "\"max_position_embeddings\" is 0"},
          {"/rms_norm_eps", 0, "\"rms_norm_eps\" is 0"},
          {"/rms_norm_eps", -1e-6, "\"rms_norm_eps\" is -1e-06"},
          {"/rope_theta", -1, "\"rope_theta\" is -1"},
          {"/rope_theta", "big", "must be a finite number"},
          {"/rope_scaling", {{"type", "yarn"}}, "rope_scaling is not supported"},
          {"/rope_parameters", {{"rope_type", "yarn"}}, "rope_type \"yarn\" is not supported"},
          {"/rope_parameters", {{"factor", 4}}, "\"factor\" is not supported"},
          {"/use_sliding_window", true, "use_sliding_window true is not supported"},
          {"/use_sliding_window", 1, "must be true or false"},
          {"/hidden_act", "gelu", "hidden_act \"gelu\" is not supported, only \"silu\""},
          {"/mm_projector_type", "spp_conv", "mm_projector_type \"spp_conv\" is not supported"},
          {"/image_token_index", 33, "\"image_token_index\" is 33, outside -1..32"},
          {"/torch_dtype", "int8", "torch_dtype \"int8\" is not supported"},
          {"/quantization_config", {{"bits", 4}}, "key \"quant_method\" is missing"},
          {"/tie_word_embeddings", "yes", "must be true or false"},
          {"/vision_encoder_config", nullptr, "\"vision_encoder_config\" is missing or null"},
          {"/vision_encoder_config", "siglip", "expected a JSON object"},
          {"/vision_encoder_config/hidden_size", 17,
           "hidden_size 17 is not a multiple of num_attention_heads 2"},
          {"/vision_encoder_config/hidden_size", 12, "6 values a head"},
          {"/vision_encoder_config/num_attention_heads", 0, "\"num_attention_heads\" is 0"},
          {"/vision_encoder_config/num_channels", 4, "num_channels 4 is not supported"},
          {"/vision_encoder_config/patch_size", 0, "\"patch_size\" is 0"},
          {"/vision_encoder_config/patch_size", {14, 16}, "is not square"},
          {"/vision_encoder_config/hidden_act", "quick_gelu", "hidden_act \"quick_gelu\" is not supported"},
          {"/vision_encoder_config/layer_norm_eps", 2, "\"layer_norm_eps\" is 2"},
      });
}

TEST(ModelConfig, RefusesNativeConfigsOutOfRange) {
  expect_refused(
      Flow::kNative,
      {
          {"/text_config", kErased, "\"text_config\" is missing or null"},
          {"/text_config", Json::array(), "expected a JSON object"},
          {"/vision_config", kErased, "\"vision_config\" is missing or null"},
          {"/text_config/model_type", "llama", "model_type \"llama\" is not supported"},
          {"/text_config/layer_types", {"sliding_attention"}, "layer_types holds \"sliding_attention\""},
          {"/image_token_id", 33, "\"image_token_id\" is 33, beyond the vocabulary of 33 rows"},
          {"/video_token_id", -1, "\"video_token_id\" is -1"},
          {"/image_token_id", kErased, "151655, beyond the vocabulary"},
          {"/vision_config/rope_parameters", {{"rope_type", "linear"}}, "\"linear\" is not supported"},
      });
}

TEST(ModelConfig, RefusesBrokenFilesBesideTheConfig) {
  const struct {
    Flow layout;
    const char* file;
    const char* content;
    const char* error;
  } rows[] = {
      {Flow::kRemote, "config.json", "{", "not valid JSON"},
      {Flow::kRemote, "config.json", "[]", "expected a JSON object"},
      {Flow::kRemote, "config.json", "{\"model_type\": \"\xff\"}", "not valid JSON"},
      {Flow::kRemote, "preprocessor_config.json", "[]", "expected a JSON object"},
      {Flow::kRemote, "preprocessor_config.json", R"({"patch_size": 16})",
       "patch_size 16 differs from the vision"},
      {Flow::kRemote, "preprocessor_config.json", R"({"min_tokens": 20, "max_tokens": 19})",
       "min_tokens 20 is more"},
      {Flow::kRemote, "preprocessor_config.json", R"({"max_tokens": 0})", "\"max_tokens\" is 0"},
      {Flow::kRemote, "preprocessor_config.json", R"({"resample": 2})", "resample 2 is not supported"},
      {Flow::kRemote, "preprocessor_config.json", R"({"do_resize": false})",
       "\"do_resize\" false is not supported"},
      {Flow::kRemote, "preprocessor_config.json", R"({"image_mean": [0.5]})", "must be a list of 3 numbers"},
      {Flow::kRemote, "preprocessor_config.json", R"({"image_std": [0.5, 0.5, 0]})",
       "expected a positive number"},
      {Flow::kRemote, "preprocessor_config.json", R"({"rescale_factor": 0})", "\"rescale_factor\" is 0"},
      {Flow::kRemote, "processor_config.json", R"({"fps": 0})", "\"fps\" is 0"},
      {Flow::kRemote, "processor_config.json", R"({"max_frames": -1})", "\"max_frames\" is -1"},
      {Flow::kRemote, "processor_config.json", R"({"video_merge_size": 0})", "\"video_merge_size\" is 0"},
      {Flow::kNative, "preprocessor_config.json", R"({"min_pixels": 9, "max_pixels": 8})",
       "at least 9 pixels but at most 8"},
      {Flow::kNative, "preprocessor_config.json", R"({"size": {"shortest_edge": 0}})",
       "\"shortest_edge\" is 0"},
      {Flow::kNative, "preprocessor_config.json", R"({"size": 336})", "expected a JSON object"},
      {Flow::kNative, "preprocessor_config.json", R"({"temporal_patch_size": 2})", "temporal_patch_size 2"},
      {Flow::kNative, "video_preprocessor_config.json", R"({"image_mean": [0.4, 0.5, 0.5]})",
       "normalises videos unlike"},
      {Flow::kNative, "video_preprocessor_config.json", R"({"use_token_compression": 1})",
       "must be true or false"},
      {Flow::kNative, "processor_config.json", R"({"image_processor": []})", "expected a JSON object"},
      {Flow::kNative, "generation_config.json", R"({"temperature": -1})",
       "\"temperature\" is -1, outside 0..100"},
      {Flow::kNative, "generation_config.json", R"({"top_p": 1.5})", "\"top_p\" is 1.5"},
      {Flow::kNative, "generation_config.json", R"({"top_k": -1})", "\"top_k\" is -1"},
      {Flow::kNative, "generation_config.json", R"({"repetition_penalty": 0})",
       "\"repetition_penalty\" is 0"},
      {Flow::kNative, "generation_config.json", R"({"eos_token_id": 33})", "\"eos_token_id\" is 33"},
      {Flow::kNative, "generation_config.json", R"({"eos_token_id": [1, "x"]})", "must be an integer"},
      {Flow::kNative, "generation_config.json", R"({"eos_token_id": {}})", "must be an integer"},
  };
  for (const auto& row : rows) {
    const TempDir dir;
    dir.write("config.json", small_config_json(row.layout).dump());
    dir.write(row.file, row.content);
    const std::string error = error_of([&] { load_model_config(dir.path()); });
    EXPECT_NE(error.find(row.error), std::string::npos) << row.file << " " << row.content << ": " << error;
    EXPECT_NE(error.find(row.file), std::string::npos) << error << " does not name the file";
  }
  const TempDir dir;
  dir.write("config.json", small_config_json(Flow::kRemote).dump());
  std::filesystem::create_symlink("/nowhere/at/all", dir / "generation_config.json");
  EXPECT_NE(error_of([&] { load_model_config(dir.path()); }).find("not found"), std::string::npos);
}

TEST(ModelConfig, DamagedConfigsGiveAnErrorOrAConfigNeverMore) {
  const TempDir dir;
  std::mt19937 random(11);
  for (int round = 0; round < 4000; ++round) {
    std::string text = small_config_json(round % 2 == 0 ? Flow::kRemote : Flow::kNative).dump();
    for (size_t flips = 1 + random() % 6; flips > 0; --flips) {
      const char digits[] = "0123456789-.e\"{}[],:tn";
      text[random() % text.size()] = digits[random() % (sizeof digits - 1)];
    }
    std::filesystem::remove(dir /
                            "config.json");  // a file truncated and written again costs a disk flush on ext4
    dir.write("config.json", text);
    try {
      EXPECT_GE(load_model_config(dir.path()).text.head_dim, 1);
    } catch (const Error&) {
    }
  }
}

TEST(GoldenModelConfig, DimsAreThoseOfTheManifest) {
  const auto manifest_file = test::golden_dir() / "manifest.json";
  if (!std::filesystem::exists(manifest_file)) GTEST_SKIP() << "the golden set has no manifest.json";
  const Json manifest = read_json_file(manifest_file);
  int seen = 0;
  for (const test::GoldenModel& model : test::golden_models()) {
    for (const auto& dir : {model.native, model.remote}) {
      if (dir.empty() || !manifest.at("models").contains(model.name)) continue;
      const Json& dims = manifest.at("models").at(model.name);
      const ModelConfig config = load_model_config(dir);
      const bool remote = config.layout == Flow::kRemote;
      EXPECT_EQ(config.vision.hidden_size, dims.at("v_hidden"));
      EXPECT_EQ(config.vision.intermediate_size, dims.at("v_inter"));
      EXPECT_EQ(config.vision.num_hidden_layers, dims.at("v_layers"));
      EXPECT_EQ(config.vision.num_attention_heads, dims.at("v_heads"));
      EXPECT_EQ(config.text.hidden_size, dims.at("hidden"));
      EXPECT_EQ(config.text.intermediate_size, dims.at("inter"));
      EXPECT_EQ(config.text.num_hidden_layers, dims.at("layers"));
      EXPECT_EQ(config.text.num_attention_heads, dims.at("heads"));
      EXPECT_EQ(config.text.num_key_value_heads, dims.at("kv"));
      EXPECT_EQ(config.text.tie_word_embeddings, dims.at("tied"));
      EXPECT_EQ(config.text.vocab_size, dims.at("vocab"));
      EXPECT_EQ(config.image_token_id, dims.at("ids").at(remote ? "<image>" : "<|image_pad|>"));
      EXPECT_EQ(config.video_token_id, dims.at("ids").at(remote ? "<image>" : "<|video_pad|>"));
      const int64_t max_tokens = dims.at("max_tokens");
      if (remote) {
        EXPECT_EQ(config.preprocess.max_tokens, max_tokens);
      } else {
        EXPECT_EQ(config.preprocess.image_max_pixels, max_tokens * 14 * 14);
        EXPECT_EQ(config.preprocess.video_max_pixels, max_tokens * 28 * 28);
      }
      EXPECT_EQ(config.generation.eos_token_id.front(), dims.at("ids").at("<|im_end|>"));
      ++seen;
    }
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no models";
}

}  // namespace
}  // namespace vl3::weights
