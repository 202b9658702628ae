// What plan predicts an ask to hold, against what the process of the ask then held.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>

#include "cli/hostile_world.h"
#include "cli/run_vl3.h"
#include "core/check.h"
#include "engine/bench_clip.h"
#include "media/frame.h"
#include "media/png_writer.h"

namespace vl3::test {
namespace {

using W = HostileWorld;
using Words = HostileWorld::Words;

constexpr double kTolerance = 0.15;

std::string jpeg_of(unsigned width, unsigned height) {
  jpeg_error_mgr errors{};
  jpeg_compress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<uint8_t> row(size_t{3} * width, 90);
  JSAMPROW rows[] = {row.data()};
  while (jpeg.next_scanline < height) jpeg_write_scanlines(&jpeg, rows, 1);
  jpeg_finish_compress(&jpeg);
  std::string result(reinterpret_cast<const char*>(bytes), size);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return result;
}

std::string png_of(int width, int height) {
  media::Frame frame;
  frame.width = width;
  frame.height = height;
  frame.rgb.assign(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, 40);
  return media::encode_png(frame);
}

struct Shape {
  const char* name;
  Words (*media)(W&);
};

const std::vector<Shape> kShapes{
    {"LargeJpeg", [](W& w) { return Words{w.file("l.jpg", jpeg_of(9000, 7000))}; }},
    {"LargePng", [](W& w) { return Words{w.file("l.png", png_of(9000, 6000))}; }},
    {"LargeVideo", [](W& w) { return Words{w.file("v.mkv", engine::make_clip(1920, 1080, 150))}; }},
    {"ManyImages", [](W&) { return Words(40, W::data("picture.png")); }},
    {"LargeAfterSmall",
     [](W& w) {
       return Words{W::data("picture.png"), w.file("l.png", png_of(7000, 6000))};
     }},
};

class MemoryPrediction : public testing::TestWithParam<Shape> {};

TEST_P(MemoryPrediction, IsWithinFifteenPercent) {
  W world;
  Words plan, ask;
  try {
    plan = W::with_model("plan", {"--max-tokens", "4", "--json"});
    ask = W::with_model("ask", {"--max-tokens", "4", "--json"});
  } catch (const Skipped& skipped) {
    GTEST_SKIP() << skipped.why;
  }
  for (const std::string& word : GetParam().media(world)) {
    plan.push_back(word);
    ask.push_back(word);
  }
  ask.push_back("hi");
  const RunResult planned = run_vl3(plan, {.timeout_s = 120}), asked = run_vl3(ask, {.timeout_s = 120});
  ASSERT_EQ(planned.status, 0) << planned.err;
  ASSERT_EQ(asked.status, 0) << asked.err;
  const double predicted = parse_json(planned.out, "plan").at("memory").at("peak_ram_bytes");
  const double held = parse_json(asked.out, "ask").at("receipt").at("peak_rss_bytes");
  EXPECT_LE(std::abs(predicted - held), kTolerance * held)
      << "predicted " << predicted / (1 << 20) << " MiB, held " << held / (1 << 20) << " MiB";
}

INSTANTIATE_TEST_SUITE_P(Shapes, MemoryPrediction, testing::ValuesIn(kShapes),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace vl3::test
