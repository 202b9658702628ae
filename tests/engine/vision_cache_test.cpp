#include "engine/vision_cache.h"

#include "support/tensors.h"

namespace vl3::engine {
namespace {

std::vector<FrameFeatures> frames(int64_t rows) {
  return {{0, 0, std::vector<uint8_t>(8, 1), rows, torch::ones({rows, 256})}};  // 1 KiB a row
}

TEST(VisionCache, DropsTheLeastRecentlyUsed) {
  VisionCache cache(10 << 10);
  cache.put("a", frames(4));
  cache.put("b", frames(4));
  ASSERT_NE(cache.find("a"), nullptr);
  cache.put("c", frames(4));
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_NE(cache.find("c"), nullptr);
}

TEST(VisionCache, RefusesWhatAloneIsTooLarge) {
  VisionCache cache(2 << 10);
  cache.put("a", frames(1));
  cache.put("big", frames(40));
  EXPECT_EQ(cache.find("big"), nullptr);
  EXPECT_NE(cache.find("a"), nullptr);
}

}  // namespace
}  // namespace vl3::engine
