#include "curate/engine/onnx_scorer.h"

#include <gtest/gtest.h>

#include "curate/pictures.h"

namespace vl3::curate {
namespace {

using test::error_of;
using test::TempDir;

// The few fields of onnx.proto that a model of one ReduceMean needs, in protobuf's encoding (values below
// 128).
std::string number(int field, char value) { return {static_cast<char>(field << 3), value}; }
std::string number20(char value) { return {'\xa0', '\x01', value}; }  // field 20 takes two bytes
std::string bytes(int field, const std::string& value) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(value.size())} + value;
}
std::string tensor(const std::string& name, const std::vector<char>& dims) {
  std::string shape;
  for (const char dim : dims) shape += bytes(1, number(1, dim));
  return bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, shape)));
}

// x [1, 3, 32, 32] to the mean over `axes`.
std::string reduce_mean(const std::vector<char>& axes, const std::vector<char>& result) {
  std::string over = bytes(1, "axes");
  for (const char axis : axes) over += number(8, axis);
  over += number20(7);
  const std::string keep = bytes(1, "keepdims") + number(3, 0) + number20(2);
  const std::string node =
      bytes(1, "x") + bytes(2, "y") + bytes(4, "ReduceMean") + bytes(5, over) + bytes(5, keep);
  const std::string graph = bytes(1, node) + bytes(2, "g") + bytes(11, tensor("x", {1, 3, 32, 32})) +
                            bytes(12, tensor("y", result));
  return number(1, 8) + bytes(7, graph) + bytes(8, bytes(1, "") + number(2, 13));
}

ScorerConfig config_of(const std::string& path) {
  ScorerConfig config;
  config.name = "mine";
  config.kind = "onnx";
  config.path = path;
  config.side = 32;
  config.mean = {"0", "0", "0"};
  config.std = {"1", "1", "1"};
  return config;
}

TEST(OnnxScorer, GivesEachPictureItsScore) {
  const TempDir dir;
  const auto scorer = onnx_scorer(config_of(dir.write("mean.onnx", reduce_mean({1, 2, 3}, {1}))));
  const media::Frame dark = test::draw(40, 60, [](int, int, int) { return 51; });
  const media::Frame bright = test::draw(30, 20, [](int, int, int) { return 255; });
  const std::vector<Impression> seen = scorer->look({{&dark, "a caption"}, {&bright, ""}});
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_NEAR(seen[0].scores.at("mine"), 0.2, 1e-6);
  EXPECT_NEAR(seen[1].scores.at("mine"), 1.0, 1e-6);
  EXPECT_TRUE(scorer->look({}).empty());
}

TEST(OnnxScorer, RefusesWhatIsNoScorer) {
  const TempDir dir;
  const std::string missing = error_of([&] { onnx_scorer(config_of((dir / "none.onnx").string())); });
  EXPECT_TRUE(missing.ends_with("none.onnx: no such file")) << missing;
  const std::string text = error_of([&] { onnx_scorer(config_of(dir.write("text.onnx", "no model"))); });
  EXPECT_TRUE(text.starts_with("corrupt: scorer \"mine\": ")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  const std::string suffix = error_of([&] { onnx_scorer(config_of(dir.write("model.bin", "x"))); });
  EXPECT_NE(suffix.find("expected a name in .onnx"), std::string::npos) << suffix;

  const media::Frame picture = test::draw(10, 10, [](int, int, int) { return 7; });
  const auto planes = onnx_scorer(config_of(dir.write("planes.onnx", reduce_mean({2, 3}, {1, 3}))));
  const std::string numbers = error_of([&] { planes->look({{&picture, ""}}); });
  EXPECT_NE(numbers.find("gives 3 numbers for a picture"), std::string::npos) << numbers;
  ScorerConfig other = config_of(dir.write("mean.onnx", reduce_mean({1, 2, 3}, {1})));
  other.side = 64;
  const auto larger = onnx_scorer(other);
  const std::string side = error_of([&] { larger->look({{&picture, ""}}); });
  EXPECT_TRUE(side.starts_with("invalid argument: scorer \"mine\": ")) << side;
}

}  // namespace
}  // namespace vl3::curate
