#include "weights/safetensors.h"

#include <gtest/gtest.h>

#include <random>

#include "support/temp_dir.h"
#include "weights/small_model.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::safetensors_bytes;
using test::TempDir;

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

const std::string kGood = R"({"a":)" + tensor("F32", "[2,3]", "[0,24]") + R"(,"b":)" +
                          tensor("BF16", "[4]", "[24,32]") + R"(,"__metadata__":{"format":"pt"}})";

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const TempDir dir;
  std::string data(32, '\0');
  data[24] = '\x80';
  data[25] = '\x3f';
  const SafetensorsFile file(dir.write("m.safetensors", safetensors_bytes(kGood + "   ", data)));
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const TensorView& b = file.at("b");
  EXPECT_EQ(b.dtype, DType::kBF16);
  EXPECT_EQ(b.shape, std::vector<int64_t>{4});
  EXPECT_EQ(b.size_bytes, 8u);
  EXPECT_EQ(test::widened(b).front(), 1.0f);
  EXPECT_NE(error_of([&] { file.at("c"); }).find("no tensor \"c\""), std::string::npos);
}

TEST(Safetensors, ReadsScalarsEmptyTensorsEmptyFilesAndIntegers) {
  const TempDir dir;
  const std::string header = R"({"s":)" + tensor("F64", "[]", "[0,8]") + R"(,"none":)" +
                             tensor("F32", "[0,7]", "[8,8]") + R"(,"q":)" + tensor("I8", "[3]", "[8,11]") +
                             "}";
  const SafetensorsFile file(dir.write("m", safetensors_bytes(header, std::string(11, 'x'))));
  EXPECT_TRUE(file.at("s").shape.empty());
  EXPECT_EQ(file.at("none").size_bytes, 0u);
  EXPECT_EQ(file.at("q").size_bytes, 3u);
  EXPECT_TRUE(SafetensorsFile(dir.write("e", safetensors_bytes("{}", ""))).tensors().empty());
}

struct Hostile {
  const char* name;
  std::string bytes;
  const char* error;  ///< a part of the message
};

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets,
                size_t data = 24) {
  return safetensors_bytes(R"({"w":)" + tensor(dtype, shape, offsets) + "}", std::string(data, 'd'));
}

std::string with_length(uint64_t length, const std::string& rest) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i) & 0xff);
  return out + rest;
}

std::string pair(const std::string& first, const std::string& second, size_t data) {
  return safetensors_bytes(R"({"p":)" + first + R"(,"q":)" + second + "}", std::string(data, 'd'));
}

std::vector<Hostile> hostile_files() {
  return {
      {"empty", "", "too short"},
      {"seven_bytes", "1234567", "too short"},
      {"length_of_all_ones", with_length(UINT64_MAX, "{}"), "at most 16777216 are allowed"},
      {"length_beyond_limit", with_length(17u << 20, "{}"), "header of 17825792 bytes, at most"},
      {"length_beyond_file", with_length(100, "{}"), "may be cut short"},
      {"no_header", with_length(0, ""), "does not begin with {"},
      {"header_is_a_list", safetensors_bytes("[1]", ""), "does not begin with {"},
      {"header_begins_with_space", safetensors_bytes(" {}", ""), "does not begin with {"},
      {"header_cut", safetensors_bytes(R"({"w":{"dtype":)", ""), "not valid JSON"},
      {"header_followed_by_text", safetensors_bytes("{}x", ""), "not valid JSON"},
      {"header_not_utf8", safetensors_bytes("{\"\xff\xfe\":1}", ""), "not valid JSON"},
      {"header_nul_bytes", safetensors_bytes(std::string("{}\0\0", 4), ""), "not valid JSON"},
      {"header_deep", safetensors_bytes("{\"w\":" + std::string(5000, '['), ""),
       "not described by an object but a list"},
      {"tensor_twice",
       safetensors_bytes(
           R"({"w":)" + tensor("F32", "[1]", "[0,4]") + R"(,"w":)" + tensor("F32", "[1]", "[0,4]") + "}",
           "dddd"),
       "\"w\" is given twice"},
      {"key_twice",
       safetensors_bytes(R"({"w":{"dtype":"F32","dtype":"I8","shape":[1],"data_offsets":[0,4]}})", "dddd"),
       "\"dtype\" is given twice"},
      {"tensor_is_a_number", safetensors_bytes(R"({"w":7})", ""),
       "tensor \"w\": not described by an object but 7"},
      {"unknown_key",
       safetensors_bytes(R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}})", "dddd"),
       "unknown key \"x\""},
      {"dtype_missing", safetensors_bytes(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", "dddd"),
       "dtype is missing"},
      {"dtype_not_text", safetensors_bytes(R"({"w":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", "dddd"),
       "dtype is 1, not a string"},
      {"dtype_unknown", one("F99", "[6]", "[0,24]"), "dtype \"F99\" is not known"},
      {"shape_missing", safetensors_bytes(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", "dddd"),
       "shape is missing"},
      {"shape_not_a_list", one("F32", "6", "[0,24]"), "shape is 6, not a list"},
      {"shape_negative", one("F32", "[-6]", "[0,24]"), "shape holds -6, which is negative"},
      {"shape_fraction", one("F32", "[6.0]", "[0,24]"), "shape holds 6.0, not an integer"},
      {"shape_text", one("F32", R"(["6"])", "[0,24]"), "not an integer"},
      {"shape_beyond_int64", one("F32", "[9223372036854775808]", "[0,24]"), "too large"},
      {"shape_product_overflows", one("F32", "[4294967296,4294967296]", "[0,24]"), "overflows 64 bits"},
      {"shape_overflow_hidden_by_zero", one("F32", "[4611686018427387904,8,0]", "[0,0]", 0),
       "overflows 64 bits"},
      {"rank_absurd", one("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6]", "[0,24]"), "more than 16 dimensions"},
      {"size_is_not_shape", one("F32", "[5]", "[0,24]"), "24 bytes of data, but F32 [5] takes 20"},
      {"size_is_not_dtype", one("BF16", "[6]", "[0,24]"), "BF16 [6] takes 12"},
      {"offsets_missing", safetensors_bytes(R"({"w":{"dtype":"F32","shape":[1]}})", "dddd"),
       "data_offsets is missing"},
      {"offsets_of_three", one("F32", "[6]", "[0,24,24]"), "data_offsets has more than 2 numbers"},
      {"offsets_of_one", one("F32", "[6]", "[0]"), "data_offsets has 1 numbers, not 2"},
      {"offset_is_a_list", one("F32", "[6]", "[0,[24]]"), "data_offsets holds a list, not an integer"},
      {"dtype_is_an_object", safetensors_bytes(R"({"w":{"dtype":{}}})", ""), "dtype is an object"},
      {"metadata_twice", safetensors_bytes(R"({"__metadata__":{"a":"1","a":"2"}})", ""),
       "\"a\" is given twice"},
      {"offsets_null", one("F32", "[6]", "null"), "data_offsets is null, not a list"},
      {"offsets_negative", one("F32", "[6]", "[-24,0]"), "data_offsets holds -24"},
      {"offsets_reversed", one("F32", "[6]", "[24,0]"), "end before they begin"},
      {"offsets_past_the_end", one("F32", "[6]", "[0,24]", 23), "pass the end of the data, 23 bytes"},
      {"offsets_huge", one("F32", "[6]", "[9223372036854775800,9223372036854775807]"), "pass the end"},
      {"hole_in_front", one("F32", "[5]", "[4,24]"), "4 bytes before tensor \"w\" belong to no tensor"},
      {"hole_between", pair(tensor("F32", "[1]", "[0,4]"), tensor("F32", "[1]", "[8,12]"), 12),
       "4 bytes before tensor \"q\" belong to no tensor"},
      {"hole_at_the_end", one("F32", "[6]", "[0,24]", 25), "1 bytes after the last tensor"},
      {"overlap", pair(tensor("F32", "[2]", "[0,8]"), tensor("F32", "[1]", "[4,8]"), 8),
       "overlaps the one before"},
      {"same_place", pair(tensor("F32", "[1]", "[0,4]"), tensor("F32", "[1]", "[0,4]"), 4), "overlaps"},
      {"metadata_not_an_object", safetensors_bytes(R"({"__metadata__":[]})", ""),
       "__metadata__ is a list, not an object"},
      {"metadata_not_text", safetensors_bytes(R"({"__metadata__":{"a":1}})", ""),
       "__metadata__ \"a\" is 1, not a string"},
  };
}

TEST(Safetensors, RefusesEachKindOfBrokenFileWithItsOwnError) {
  const TempDir dir;
  for (const Hostile& hostile : hostile_files()) {
    const auto path = dir.write(std::string(hostile.name) + ".safetensors", hostile.bytes);
    const std::string error = error_of([&] { SafetensorsFile{path}; });
    EXPECT_NE(error.find(hostile.error), std::string::npos) << hostile.name << ": " << error;
    EXPECT_NE(error.find(hostile.name), std::string::npos) << error << " does not name the file";
    EXPECT_TRUE(error.starts_with("corrupt: ") || error.starts_with("unsupported: ")) << error;
    EXPECT_LT(error.size(), 600u) << hostile.name;
  }
}

TEST(Safetensors, RefusesTooManyTensors) {
  std::string header = "{";
  for (size_t i = 0; i <= kMaxSafetensorsTensors; ++i) {
    header += fmt::format("{}\"t{}\":{}", i > 0 ? "," : "", i, tensor("U8", "[0]", "[0,0]"));
  }
  const TempDir dir;
  const auto path = dir.write("many", safetensors_bytes(header + "}", ""));
  EXPECT_NE(error_of([&] { SafetensorsFile{path}; }).find("more than 100000 tensors"), std::string::npos);
}

TEST(Safetensors, FlippedAndCutFilesGiveAnErrorOrAWholeFileNeverMore) {
  const TempDir dir;
  const std::string good = safetensors_bytes(kGood, std::string(32, 'd'));
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    const size_t header_end = 8 + kGood.size();
    for (size_t flips = 1 + random() % 4; flips > 0; --flips) {
      bytes[random() % header_end] = static_cast<char>(random() % (round % 2 == 0 ? 256 : 128));
    }
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    if (round % 7 == 0) bytes.insert(random() % (bytes.size() + 1), std::string(random() % 9, '0'));
    std::filesystem::remove(dir / "fuzz");  // a file truncated and written again costs a disk flush on ext4
    const auto path = dir.write("fuzz", bytes);
    try {
      const SafetensorsFile file(path);
      uint64_t total = 0;
      for (const auto& [name, view] : file.tensors()) {
        for (const std::byte b : view.bytes()) total += std::to_integer<uint64_t>(b);
      }
      accepted += total < UINT64_MAX;
    } catch (const Error&) {
    }
  }
  EXPECT_LT(accepted, 10'000);  // most damage is seen; a changed letter of a name is not damage
}

}  // namespace
}  // namespace vl3::weights
