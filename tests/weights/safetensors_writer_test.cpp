#include "weights/safetensors_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "support/temp_dir.h"
#include "weights/safetensors.h"
#include "weights/shard_writer.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

TEST(SafetensorsWriter, WritesInPiecesWhatTheReaderReads) {
  const TempDir dir;
  SafetensorsWriter writer(dir / "m", {{"z", DType::kF32, {1, 2}}, {"a", DType::kI8, {3}}},
                           {{"format", "pt"}, {"k", "v"}});
  writer.append(bytes("12345"));
  writer.append(bytes("678ab"));
  writer.append(bytes("c"));
  writer.commit();
  const SafetensorsFile file(dir / "m");
  EXPECT_EQ(file.metadata().at("k"), "v");
  EXPECT_EQ(std::memcmp(file.at("z").data, "12345678", 8), 0);
  EXPECT_EQ(std::memcmp(file.at("a").data, "abc", 3), 0);
  EXPECT_TRUE(file.at("z").aligned());
  const std::string raw = read_file(dir / "m", 10'000);
  EXPECT_EQ(static_cast<unsigned char>(raw[0]) % 8, 0);  // the data begins at a multiple of 8
}

TEST(SafetensorsWriter, HoldsTheCallerToWhatWasAnnounced) {
  const TempDir dir;
  {
    SafetensorsWriter writer(dir / "m", {{"a", DType::kF32, {2}}});
    writer.append(bytes("1234"));
    EXPECT_NE(error_of([&] { writer.commit(); }).find("4 bytes of data where 8 were announced"),
              std::string::npos);
    EXPECT_NE(error_of([&] { writer.append(bytes("12345")); }).find("9 bytes"), std::string::npos);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  const auto error = [&](const std::vector<TensorInfo>& tensors) {
    return error_of([&] { SafetensorsWriter(dir / "m", tensors); });
  };
  EXPECT_NE(error({{"a", DType::kF32, {2}}, {"a", DType::kF32, {2}}}).find("twice"), std::string::npos);
  EXPECT_NE(error({{"a", DType::kF32, {-2}}}).find("has no size"), std::string::npos);
  EXPECT_NE(error({{"a", DType::kI8, {3}}, {"b", DType::kF32, {1}}}).find("wide dtypes first"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

std::vector<OutTensor> three_tensors() {
  std::vector<OutTensor> tensors;
  for (const auto& [name, dtype] : {std::pair{"a", DType::kBF16}, {"b", DType::kF32}, {"c", DType::kBF16}}) {
    OutTensor tensor{.info = {name, dtype, {3}}};
    tensor.produce = [size = tensor.info.size_bytes(), letter = name[0]](const ByteSink& sink) {
      sink(bytes(std::string(size, letter)));
    };
    tensors.push_back(tensor);
  }
  return tensors;
}

TEST(ShardWriter, PutsWideTensorsFirstInOneFile) {
  const TempDir dir;
  uint64_t last = 0, total = 0;
  write_sharded(dir.path(), three_tensors(), 1000,
                [&](uint64_t done, uint64_t all) { last = done, total = all; });
  EXPECT_EQ(last, 24u);
  EXPECT_EQ(total, 24u);
  const SafetensorsFile file(dir / "model.safetensors");
  EXPECT_LT(file.at("b").data, file.at("a").data);
  EXPECT_EQ(std::memcmp(file.at("c").data, "cccccc", 6), 0);
  EXPECT_FALSE(std::filesystem::exists(dir / "model.safetensors.index.json"));
}

TEST(ShardWriter, ClosesAShardBeforeTheTensorThatWouldOverflowIt) {
  const TempDir dir;
  write_sharded(dir.path(), three_tensors(), 18);
  EXPECT_EQ(SafetensorsFile(dir / "model-00001-of-00002.safetensors").tensors().size(), 2u);
  EXPECT_EQ(SafetensorsFile(dir / "model-00002-of-00002.safetensors").tensors().size(), 1u);
  const TempDir one_each;
  write_sharded(one_each.path(), three_tensors(), 1);
  EXPECT_TRUE(std::filesystem::exists(one_each / "model-00003-of-00003.safetensors"));
  EXPECT_NE(error_of([&] { write_sharded(dir.path(), three_tensors(), 0); }).find("max_shard_size 0"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::weights
