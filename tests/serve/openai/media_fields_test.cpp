#include "serve/openai/media_fields.h"

#include "serve/openai/parsed.h"

namespace vl3::serve {
namespace {

using test::failing_param;
using test::parse_chat;

TEST(MediaFields, SamplingOfVideosInEverySpelling) {
  AskOptions options = parse_chat(R"({"media_io_kwargs":{"video":{"num_frames":8}}})").job.options;
  EXPECT_EQ(options.max_frames, 8);
  EXPECT_GT(options.fps, 100);
  options = parse_chat(R"({"media_io_kwargs":{"video":{"fps":2,"num_frames":-1}}})").job.options;
  EXPECT_EQ(options.fps, 2);
  EXPECT_FALSE(options.max_frames);
  options = parse_chat(R"({"mm_processor_kwargs":{"fps":3}})").job.options;
  EXPECT_EQ(options.fps, 3);
  options = parse_chat(
                R"({"fps":0.5,"max_frames":9,"start":1,"end":2,"prune_to":50,"prune_reference":"last-kept"})")
                .job.options;
  EXPECT_EQ(options.fps, 0.5);
  EXPECT_EQ(options.prune.max_tokens, 50);
  EXPECT_EQ(options.prune.reference, "last-kept");
  EXPECT_EQ(failing_param(R"({"media_io_kwargs":{"video":{"num_frames":0}}})"),
            "media_io_kwargs.video.num_frames");
  EXPECT_EQ(failing_param(R"({"max_frames":1000})", {.max_frames = 100}), "max_frames");
}

TEST(MediaFields, PixelsOfAProcessorThatIsNotOursAreRefused) {
  EXPECT_EQ(failing_param(R"({"mm_processor_kwargs":{"max_pixels":100}})"), "mm_processor_kwargs.max_pixels");
}

TEST(MediaFields, CountsMedia) {
  EXPECT_EQ(failing_param(R"({"messages":[{"role":"user","content":[
    {"type":"image_url","image_url":"data:,"},{"type":"image_url","image_url":"data:,"}]}]})",
                          {.max_media = 1}),
            "messages");
}

TEST(MediaFields, BoundsTheFramesThatAPartAsksFor) {
  EXPECT_EQ(failing_param(R"({"messages":[{"role":"user","content":[
    {"type":"video_url","video_url":"data:,","num_frames":1000}]}]})",
                          {.max_frames = 100}),
            "messages[0]");
}

}  // namespace
}  // namespace vl3::serve
