// Some three hundred pictures written and read by Pillow itself, compared to the byte in both flows. Runs
// where a Python with Pillow and numpy is found ($VL3_PYTHON, else python3), and says so where it is not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "media/image_reader.h"
#include "media/media_tools.h"

namespace vl3::media {
namespace {

TEST(PillowParity, EveryVariantIsEqual) {
  const char* set = std::getenv("VL3_PYTHON");
  const std::string python = set != nullptr && *set != '\0' ? set : "python3";
  if (std::system((python + " -c 'import numpy, PIL' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no Pillow; set VL3_PYTHON to one that has";
  }
  const test::TempDir dir;
  const std::string script = std::string(VL3_SOURCE_DIR) + "/tests/media/pillow_variants.py";
  ASSERT_EQ(std::system(fmt::format("{} {} {}", python, script, dir.path().string()).c_str()), 0);
  std::ifstream list(dir / "list.txt");
  std::string name;
  int sizes[4];
  int compared = 0;
  while (list >> name >> sizes[0] >> sizes[1] >> sizes[2] >> sizes[3]) {
    for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
      const int* size = sizes + (flow == Flow::kNative ? 2 : 0);
      Frame frame;
      const std::string error =
          test::error_of([&] { frame = read_image(open_media((dir / name).string()), flow); });
      ASSERT_EQ(error, "") << name;
      EXPECT_EQ(frame.height, size[0]) << name << " " << flow_name(flow);
      EXPECT_EQ(frame.width, size[1]) << name << " " << flow_name(flow);
      const std::string expected = test::read_bytes(dir / (name + "." + flow_name(flow) + ".rgb"));
      EXPECT_TRUE(test::as_bytes(frame) == expected) << name << " " << flow_name(flow);
      ++compared;
    }
  }
  EXPECT_GT(compared, 300);
}

}  // namespace
}  // namespace vl3::media
