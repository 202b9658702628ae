#include "weights/quantised_view.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/file.h"
#include "support/temp_dir.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/model_folder.h"
#include "weights/random_init.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

constexpr const char* kHead = "lm_head.weight";

template <typename T>
OutTensor tensor(const std::string& name, DType dtype, std::vector<int64_t> shape, std::vector<T> values) {
  OutTensor out{.info = {name, dtype, std::move(shape)}, .produce = {}};
  out.produce = [values = std::move(values)](const ByteSink& sink) {
    sink(std::as_bytes(std::span<const T>(values)));
  };
  return out;
}

// A small untied model whose head [33, 32] is replaced by other tensors.
class QuantisedHead : public testing::Test {
 protected:
  QuantisedHead() : config_(test::small_config(Flow::kNative, false)) {
    config_.text.hidden_size = 32;
    config_.text.num_attention_heads = 1;
    config_.text.num_key_value_heads = 1;
    config_.text.head_dim = 32;
    write_random_checkpoint(config_, dir_ / "plain", {.seed = 3, .dtype = DType::kF32});
    config_ = load_model_config(dir_ / "plain");
  }

  static std::vector<OutTensor> int8_head() {
    std::vector<int8_t> values(33 * 32);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<int8_t>(static_cast<int>(i % 255) - 127);
    std::vector<float> scale(33);
    for (size_t i = 0; i < scale.size(); ++i) scale[i] = 0.5f + static_cast<float>(i);
    return {tensor(kHead + std::string("_scale"), DType::kF32, {33, 1}, scale),
            tensor(kHead, DType::kI8, {33, 32}, values)};
  }

  static std::vector<OutTensor> int4_head(int64_t told = 32, int64_t scales = 1) {
    std::vector<int8_t> values(33 * 32);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int8_t>(static_cast<int>(i % 16) - 8);
    return {tensor<int64_t>(kHead + std::string("_shape"), DType::kI64, {2}, {33, told}),
            tensor(kHead + std::string("_scale"), DType::kF32, {33, scales},
                   std::vector<float>(static_cast<size_t>(33 * scales), 0.25f)),
            tensor(kHead + std::string("_packed"), DType::kI32, {33, 4}, pack_int4(values))};
  }

  fs::path write(const std::vector<OutTensor>& head, bool with_config = true) {
    const fs::path folder = dir_ / fmt::format("folder{}", ++folders_);
    fs::create_directory(folder);
    const Checkpoint plain = Checkpoint::open(dir_ / "plain", config_);
    std::vector<OutTensor> tensors = head;
    for (const ExpectedTensor& expected : plain.tensors()) {
      if (expected.name == kHead) continue;
      const TensorView& view = plain.view(expected.name);
      OutTensor out{.info = {expected.name, view.dtype, view.shape}, .produce = {}};
      out.produce = [&view](const ByteSink& sink) { sink(view.bytes()); };
      tensors.push_back(std::move(out));
    }
    write_sharded(folder, tensors, 1 << 30);
    write_side_files(config_, Flow::kNative, DType::kF32, folder);
    Json json = read_json_file(folder / "config.json");
    if (with_config) {
      json["quantization_config"] = Json::parse(
          make_quantization_config({{.targets = {"lm_head"}, .scheme = {}, .dynamic_inputs = true}}).dump());
    }
    write_file_atomically(folder / "config.json", json.dump());
    return folder;
  }

  static Checkpoint open(const fs::path& folder) {
    return Checkpoint::open(folder, load_model_config(folder));
  }
  std::string open_error(const std::vector<OutTensor>& head, bool with_config = true) {
    const fs::path folder = write(head, with_config);
    return error_of([&] { open(folder); });
  }

  TempDir dir_;
  ModelConfig config_;
  int folders_ = 0;
};

TEST_F(QuantisedHead, ReadsEightBits) {
  const Checkpoint checkpoint = open(write(int8_head()));
  const QuantisedView* head = checkpoint.quantised(kHead);
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->scheme, (QuantScheme{.bits = 8, .group = 0}));
  EXPECT_TRUE(checkpoint.contains(kHead));
  EXPECT_NE(error_of([&] { checkpoint.view(kHead); }), "");
  EXPECT_EQ(checkpoint.quantised("model.language_model.norm.weight"), nullptr);
  EXPECT_EQ(checkpoint.dtype(), DType::kF32);
  std::vector<float> rows(2 * 32);
  read_dequantised(*head, 8, 10, rows.data());
  EXPECT_EQ(rows[0], (256 % 255 - 127) * 8.5f);
  EXPECT_EQ(rows[33], (289 % 255 - 127) * 9.5f);
  checkpoint.advise_will_need(kHead);
  checkpoint.advise_dont_need(kHead);
}

TEST_F(QuantisedHead, ReadsFourBits) {
  const Checkpoint checkpoint = open(write(int4_head()));
  const QuantisedView* head = checkpoint.quantised(kHead);
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->scheme, (QuantScheme{.bits = 4, .group = 32}));
  std::vector<int8_t> values(33 * 32);
  read_values(*head, 0, 33, values.data());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<int>(i % 16) - 8) << i;
}

TEST_F(QuantisedHead, ConvertsToNumbers) {
  const fs::path folder = write(int4_head());
  convert_checkpoint(folder, dir_ / "out", {.to = Flow::kNative});
  const Checkpoint plain = open(dir_ / "out");
  EXPECT_FALSE(plain.config().quantised);
  EXPECT_EQ(test::widened(plain.view(kHead))[5], -0.75f);
}

TEST_F(QuantisedHead, NamesWhatIsWrong) {
  const auto expect = [&](const std::vector<OutTensor>& head, const std::string& text) {
    const std::string error = open_error(head);
    EXPECT_NE(error.find(text), std::string::npos) << error;
    EXPECT_NE(error.find(kHead), std::string::npos) << error;
  };
  expect({int8_head()[1]}, "weight_scale is missing");
  expect({int8_head()[0]}, "either an I8 weight or a weight_packed");
  expect({int8_head()[0], int8_head()[1], int4_head()[2]}, "either an I8 weight or a weight_packed");
  expect(int4_head(31), "weight_shape does not say [33, 32]");
  expect({int4_head()[1], int4_head()[2]}, "weight_shape does not say");
  expect(int4_head(32, 2), "16 inputs a scale");
  expect(int4_head(32, 3), "weight_scale F32 [33, 3] does not fit [33, 32]");
  std::vector<OutTensor> narrow = int4_head();
  narrow[2] = tensor(kHead + std::string("_packed"), DType::kI32, {33, 3}, std::vector<int32_t>(33 * 3));
  expect(narrow, "does not hold [33, 32] in 4 or 8 bits");
  std::vector<OutTensor> by_row = int8_head();
  by_row[0] = tensor(kHead + std::string("_scale"), DType::kF32, {33, 2}, std::vector<float>(66));
  expect(by_row, "2 scales a row");
  EXPECT_NE(open_error(int8_head(), /*with_config=*/false).find("not float"), std::string::npos);
  std::vector<OutTensor> surplus = int8_head();
  surplus.push_back(
      tensor("model.language_model.nowhere.weight_scale", DType::kF32, {1}, std::vector<float>(1)));
  EXPECT_NE(open_error(surplus).find("surplus: parts of model.language_model.nowhere.weight"),
            std::string::npos);
}

// compressed-tensors scales by the greatest magnitude / 127.5, so its range has -128.
TEST_F(QuantisedHead, TakesTheLowestByte) {
  std::vector<OutTensor> low = int8_head();
  low[1] = tensor(kHead, DType::kI8, {33, 32}, std::vector<int8_t>(33 * 32, -128));
  const Checkpoint lowest = open(write(low));
  std::vector<int8_t> values(33 * 32);
  read_values(*lowest.quantised(kHead), 0, 33, values.data());
  EXPECT_EQ(values, std::vector<int8_t>(33 * 32, -128));
}

TEST_F(QuantisedHead, NumbersAreCheckedWhenTheyAreRead) {
  std::vector<OutTensor> infinite = int8_head();
  infinite[0] = tensor(kHead + std::string("_scale"), DType::kF32, {33, 1},
                       std::vector<float>(33, std::numeric_limits<float>::infinity()));
  const Checkpoint unscaled = open(write(infinite));
  std::vector<float> rows(33 * 32);
  EXPECT_NE(
      error_of([&] { read_dequantised(*unscaled.quantised(kHead), 0, 33, rows.data()); }).find("not finite"),
      std::string::npos);
}

TEST(QuantizationConfig, RefusesWhatIsReadByNobodyHere) {
  const Json good = Json::parse(make_quantization_config({{{"lm_head"}, {.bits = 8, .group = 0}, true},
                                                          {{"re:x"}, {.bits = 4, .group = 64}, false}})
                                    .dump());
  const auto error = [](const Json& json) {
    return error_of([&] { check_quantization_config(JsonView(json, "q")); });
  };
  EXPECT_EQ(error(good), "");
  EXPECT_EQ(good["format"], "mixed-precision");
  const auto with = [&](const char* place, const Json& value) {
    Json json = good;
    json[Json::json_pointer(place)] = value;
    return error(json);
  };
  EXPECT_NE(with("/quant_method", "gptq").find("quant_method \"gptq\" is not supported"), std::string::npos);
  EXPECT_NE(with("/format", "float-quantized").find("format"), std::string::npos);
  EXPECT_NE(with("/config_groups/group_0/weights/num_bits", 3).find("num_bits 3"), std::string::npos);
  EXPECT_NE(with("/config_groups/group_0/weights/type", "float").find("type \"float\""), std::string::npos);
  EXPECT_NE(with("/config_groups/group_0/weights/symmetric", false).find("symmetric"), std::string::npos);
  EXPECT_NE(with("/config_groups/group_1/weights/actorder", "group").find("actorder"), std::string::npos);
  EXPECT_NE(with("/config_groups/group_0/input_activations/dynamic", false).find("dynamic"),
            std::string::npos);
  EXPECT_NE(with("/config_groups/group_0/output_activations", Json::object()).find("output_activations"),
            std::string::npos);
  EXPECT_NE(with("/kv_cache_scheme", {{"num_bits", 8}}).find("kv_cache_scheme"), std::string::npos);
  EXPECT_NE(with("/config_groups", Json::object()).find("0 groups"), std::string::npos);
  EXPECT_NE(with("/config_groups/group_0", nullptr), "");
}

}  // namespace
}  // namespace vl3::weights
