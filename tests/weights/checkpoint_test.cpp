#include "weights/checkpoint.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/temp_dir.h"
#include "weights/random_init.h"
#include "weights/shard_writer.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

// Tensors under the given names, each byte 'x'; what a hand-made checkpoint is made of.
std::vector<OutTensor> tensors_named(const ModelConfig& config,
                                     const std::function<std::string(std::string)>& name,
                                     DType dtype = DType::kBF16) {
  std::vector<OutTensor> out;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    OutTensor target{.info = {name(tensor.name), dtype, tensor.shape}};
    target.produce = [bytes = target.info.size_bytes()](const ByteSink& sink) {
      const std::string data(bytes, 'x');
      sink(std::as_bytes(std::span<const char>(data.data(), data.size())));
    };
    out.push_back(target);
  }
  return out;
}

std::string remote_name(const std::string& name) { return layout_name(name, Flow::kRemote); }

std::string open_error(const fs::path& dir, const ModelConfig& config) {
  return error_of([&] { Checkpoint::open(dir, config); });
}

TEST(Checkpoint, OpensOneFileAndShardsAlike) {
  const ModelConfig config = test::small_config(Flow::kRemote, false);
  const TempDir dir;
  write_random_checkpoint(config, dir / "one", {.seed = 3});
  write_random_checkpoint(config, dir / "many", {.seed = 3, .max_shard_size = 3000});
  EXPECT_TRUE(fs::exists(dir / "many/model-00002-of-00003.safetensors") ||
              fs::exists(dir / "many/model.safetensors.index.json"));
  const Checkpoint one = Checkpoint::open(dir / "one", config), many = Checkpoint::open(dir / "many", config);
  EXPECT_EQ(one.dtype(), DType::kBF16);
  EXPECT_EQ(one.size_bytes(), many.size_bytes());
  for (const ExpectedTensor& tensor : one.tensors()) {
    EXPECT_EQ(test::bytes_of(one.view(tensor.name)), test::bytes_of(many.view(tensor.name))) << tensor.name;
    one.advise_will_need(tensor.name);
    one.advise_dont_need(tensor.name);
    EXPECT_EQ(test::bytes_of(one.view(tensor.name)), test::bytes_of(many.view(tensor.name))) << tensor.name;
  }
  EXPECT_TRUE(one.contains("lm_head.weight"));
  EXPECT_FALSE(one.contains("model.norm.weight"));  // a file's name, not a canonical one
  EXPECT_NE(error_of([&] { one.view("model.norm.weight"); }).find("the model has no tensor"),
            std::string::npos);
}

TEST(Checkpoint, ReadsTheTrainingLayoutsDoubledPrefix) {
  const ModelConfig config = test::small_config(Flow::kRemote, false);
  const TempDir dir;
  write_sharded(dir.path(),
                tensors_named(config,
                              [](const std::string& name) {
                                std::string file = remote_name(name);
                                const std::string prefix = "model.vision_encoder.";
                                if (file.starts_with(prefix)) file.insert(prefix.size(), "vision_encoder.");
                                return file;
                              }),
                1 << 20);
  EXPECT_EQ(Checkpoint::open(dir.path(), config).tensors().size(), expected_tensors(config).size());
}

TEST(Checkpoint, ReadsALinearProjector) {
  ModelConfig config = test::small_config(Flow::kRemote, true);
  config.mm_projector_type = "linear";
  const TempDir dir;
  write_sharded(dir.path(),
                tensors_named(config,
                              [](const std::string& name) {
                                std::string file = remote_name(name);
                                if (const size_t at = file.find("readout.0."); at != std::string::npos)
                                  file.erase(at, 10);
                                return file;
                              }),
                1 << 20);
  EXPECT_TRUE(Checkpoint::open(dir.path(), config).contains("model.projector.readout.0.bias"));
}

TEST(Checkpoint, TiedModelsMayCarryAHeadOfTheRightShape) {
  const ModelConfig tied = test::small_config(Flow::kNative, true),
                    untied = test::small_config(Flow::kNative, false);
  const auto same = [](const std::string& name) { return name; };
  const TempDir dir;
  write_sharded(dir.path(), tensors_named(untied, same), 1 << 20);
  EXPECT_FALSE(Checkpoint::open(dir.path(), tied).contains("lm_head.weight"));
  const TempDir wrong;
  ModelConfig shorter = untied;
  shorter.text.vocab_size = 32;
  std::vector<OutTensor> tensors = tensors_named(tied, same);
  tensors.push_back(tensors_named(shorter, same).back());
  write_sharded(wrong.path(), tensors, 1 << 20);
  EXPECT_NE(
      open_error(wrong.path(), tied).find("1 of wrong shape: lm_head.weight [32, 12], expected [33, 12]"),
      std::string::npos);
}

TEST(Checkpoint, NamesWhatIsMissingSurplusDoubledMisshapenOrNotFloat) {
  const ModelConfig config = test::small_config(Flow::kRemote, false);
  const std::vector<OutTensor> good = tensors_named(config, remote_name);
  const auto error = [&](const std::function<void(std::vector<OutTensor>*)>& damage) {
    const TempDir dir;
    std::vector<OutTensor> tensors = good;
    damage(&tensors);
    write_sharded(dir.path(), tensors, 1 << 20);
    return open_error(dir.path(), config);
  };
  EXPECT_EQ(error([](auto*) {}), "");
  EXPECT_NE(error([](auto* t) { t->pop_back(); }).find("1 missing: lm_head.weight"), std::string::npos);
  const std::string many = error([](auto* t) { t->erase(t->begin(), t->begin() + 5); });
  EXPECT_NE(many.find("5 missing: model.vision_encoder.embeddings.patch_embedding.weight, "),
            std::string::npos)
      << many;
  EXPECT_NE(many.find(", …"), std::string::npos) << many;
  const std::string renamed = error([](auto* t) { t->back().info.name = "head.weight"; });
  EXPECT_NE(renamed.find("1 missing: lm_head.weight; 1 surplus: head.weight"), std::string::npos) << renamed;
  EXPECT_NE(error([](auto* t) {
              t->push_back(t->front());
              t->back().info.name.insert(21, "vision_encoder.");  // the same tensor under its training name
            }).find("1 given twice: model.vision_encoder.vision_encoder.embeddings"),
            std::string::npos);
  const std::string shape = error([](auto* t) { t->front().info.shape = {16, 3, 196}; });
  EXPECT_NE(shape.find("patch_embedding.weight [16, 3, 196], expected [16, 3, 14, 14]"), std::string::npos)
      << shape;
  EXPECT_EQ(shape.find("missing"), std::string::npos) << shape;
  EXPECT_NE(
      error([](auto* t) { t->back().info.dtype = DType::kI16; }).find("1 not float: lm_head.weight (I16)"),
      std::string::npos);
}

TEST(Checkpoint, RefusesBrokenIndexes) {
  const ModelConfig config = test::small_config(Flow::kRemote, false);
  const TempDir dir;
  write_random_checkpoint(config, dir / "good", {.max_shard_size = 4000});
  const fs::path index_file = dir / "good/model.safetensors.index.json";
  const Json good = read_json_file(index_file);
  const std::string norm = "model.norm.weight";
  const std::string shard = good["weight_map"][norm];
  const std::string other = "model-00001-of" + shard.substr(shard.find("-of") + 3);
  ASSERT_NE(shard, other);
  const struct {
    const char* name;
    std::function<void(Json*)> damage;
    const char* error;
  } rows[] = {
      {"not an object", [](Json* j) { *j = Json::array(); }, "expected a JSON object"},
      {"no map", [](Json* j) { j->erase("weight_map"); }, "key \"weight_map\" is missing"},
      {"map is a list", [](Json* j) { (*j)["weight_map"] = Json::array(); }, "expected a JSON object"},
      {"map is empty", [](Json* j) { (*j)["weight_map"] = Json::object(); }, "no tensor in it"},
      {"file is a number", [&](Json* j) { (*j)["weight_map"][norm] = 1; },
       "is not the name of a .safetensors file"},
      {"path upwards", [&](Json* j) { (*j)["weight_map"][norm] = "../good/" + shard; }, "is not the name"},
      {"absolute path", [&](Json* j) { (*j)["weight_map"][norm] = (dir / "good" / shard).string(); },
       "is not the name"},
      {"folder below", [&](Json* j) { (*j)["weight_map"][norm] = "sub/x.safetensors"; }, "is not the name"},
      {"dots", [&](Json* j) { (*j)["weight_map"][norm] = ".."; }, "is not the name"},
      {"empty name", [&](Json* j) { (*j)["weight_map"][norm] = ""; }, "is not the name"},
      {"NUL", [&](Json* j) { (*j)["weight_map"][norm] = std::string("a\0.safetensors", 14); },
       "is not the name"},
      {"backslash", [&](Json* j) { (*j)["weight_map"][norm] = "..\\x.safetensors"; }, "is not the name"},
      {"pickle", [&](Json* j) { (*j)["weight_map"][norm] = "pytorch_model.bin"; }, "is not the name"},
      {"long name", [&](Json* j) { (*j)["weight_map"][norm] = std::string(300, 'a') + ".safetensors"; },
       "is not the name"},
      {"shard missing", [&](Json* j) { (*j)["weight_map"][norm] = "model-9.safetensors"; },
       "shard model-9.safetensors of the index is missing"},
      {"wrong shard", [&](Json* j) { (*j)["weight_map"][norm] = other; },
       "1 tensors of the index that are not in their shard: model.norm.weight"},
      {"tensor not listed", [&](Json* j) { (*j)["weight_map"].erase(norm); },
       "1 tensors of the shards that the index does not list: model.norm.weight"},
      {"tensor only listed", [&](Json* j) { (*j)["weight_map"]["model.extra"] = shard; },
       "not in their shard: model.extra"},
  };
  for (const auto& row : rows) {
    Json damaged = good;
    row.damage(&damaged);
    dir.write("good/model.safetensors.index.json", damaged.dump());
    const std::string error = open_error(dir / "good", config);
    EXPECT_NE(error.find(row.error), std::string::npos) << row.name << ": " << error;
  }
  dir.write("good/model.safetensors.index.json", "{\"weight_map\": {\"\xff\": 1}}");
  EXPECT_NE(open_error(dir / "good", config).find("not valid JSON"), std::string::npos);
  dir.write("good/model.safetensors.index.json", good.dump());
  EXPECT_EQ(open_error(dir / "good", config), "");
  dir.write("good/" + shard, "short");
  EXPECT_NE(open_error(dir / "good", config).find("too short for a safetensors file"), std::string::npos);
}

TEST(Checkpoint, SaysWhatToDoWithoutSafetensors) {
  const ModelConfig config = test::small_config(Flow::kRemote, false);
  const TempDir dir;
  EXPECT_NE(open_error(dir.path(), config).find("not found: "), std::string::npos);
  dir.write("pytorch_model.bin", "x");
  const std::string error = open_error(dir.path(), config);
  EXPECT_NE(error.find("unsupported: "), std::string::npos) << error;
  EXPECT_NE(error.find("convert them to safetensors"), std::string::npos) << error;
}

TEST(GoldenCheckpoint, BothLayoutsHoldTheSameNumbers) {
  int seen = 0;
  for (const test::GoldenModel& model : test::golden_models()) {
    if (model.native.empty() || model.remote.empty()) continue;
    const Checkpoint native = Checkpoint::open(model.native, load_model_config(model.native));
    const Checkpoint remote = Checkpoint::open(model.remote, load_model_config(model.remote));
    ASSERT_EQ(native.tensors(), remote.tensors());
    EXPECT_EQ(native.contains("lm_head.weight"), !native.config().text.tie_word_embeddings);
    EXPECT_EQ(torch_dtype_name(native.dtype()), native.config().torch_dtype);
    EXPECT_EQ(torch_dtype_name(remote.dtype()), remote.config().torch_dtype);
    for (const ExpectedTensor& tensor : native.tensors()) {
      ASSERT_EQ(test::widened(native.view(tensor.name)), test::widened(remote.view(tensor.name)))
          << tensor.name;
    }
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no model in both layouts";
}

}  // namespace
}  // namespace vl3::weights
