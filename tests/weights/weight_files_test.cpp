#include "weights/weight_files.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::weights {
namespace {

TEST(WeightFiles, AreKnownByTheirNames) {
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "model-00001-of-00002.safetensors"})
    EXPECT_TRUE(is_weights_file(name)) << name;
  for (const char* name : {"model-mine.safetensors", "optimizer.safetensors", "model-1-of-x.safetensors",
                           "model-.safetensors", "model-of-.safetensors", "model.safetensors.bak"})
    EXPECT_FALSE(is_weights_file(name)) << name;
}

TEST(WeightFiles, FingerprintFollowsContentSizeAndNames) {
  const test::TempDir dir;
  std::string bytes(100'000, 'a');
  const auto of = [&](const std::string& folder, const std::string& content) {
    dir.write(fmt::format("{}/model.safetensors", folder), content);
    dir.write(fmt::format("{}/README.md", folder), folder);
    return weights_fingerprint(dir / folder);
  };
  const std::string first = of("a", bytes);
  EXPECT_EQ(of("b", bytes), first);
  EXPECT_NE(of("c", bytes + "a"), first);
  bytes[0] = 'b';
  EXPECT_NE(of("d", bytes), first);
  dir.write("a/model-00002-of-00002.safetensors", "more");
  EXPECT_NE(weights_fingerprint(dir / "a"), first);
}

}  // namespace
}  // namespace vl3::weights
