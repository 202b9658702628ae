#include "eval/data/subtitles.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

TEST(Subtitles, SubRipAsPysubs2ReadsIt) {
  const auto events = parse_srt(
      "\xef\xbb\xbf"
      "1\r\n00:00:01,5 --> 00:00:02.25\r\n<i>one</i> <B>\r\ntwo <font color=\"red\">é</font>\r\n\r\n"
      "2\r\n0:0:3,000 --> 00:00:04,000\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000 X1:2\r\n a < b\r\n",
      "x");
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[0].start_s, 1.5);
  EXPECT_EQ(events[0].end_s, 2.25);
  EXPECT_EQ(events[0].text, "{\\i1}one{\\i0} \\Ntwo é");
  EXPECT_EQ(events[1].text, "");
  EXPECT_EQ(events[2].text, "a < b");
}

TEST(Subtitles, HostileSubRipEndsInNothingOrAnError) {
  for (const char* text :
       {"", "00:00:01,000 --> ", "-->", "<<<<<i>", "99:99:99,999 --> 99:99:99,999\n<", "\n\n\n1\n"})
    EXPECT_NO_THROW(parse_srt(text, "x")) << text;
  EXPECT_NE(error_of([] { parse_srt("00:00:01,000 --> 00:00:02,000\n\xff", "x"); }).find("UTF-8"),
            std::string::npos);
  EXPECT_NO_THROW(parse_srt(std::string(1 << 20, '<'), "x"));
  EXPECT_NO_THROW(parse_srt(std::string(1 << 20, ':'), "x"));
}

/// Each '<' with a letter behind it searched the whole rest for its '>'.
TEST(Subtitles, OpenTagsStayAsTheyAre) {
  std::string open;
  for (int i = 0; i < 300'000; ++i) open += "<i";
  for (const std::string& text : {open, open + ">", "<b>x</b>" + open}) {
    const auto events = parse_srt(fmt::format("00:00:01,000 --> 00:00:02,000\n{}\n", text), "x");
    ASSERT_EQ(events.size(), 1);
    EXPECT_EQ(events[0].text, text.ends_with('>')       ? ""
                              : text.starts_with("<b>") ? fmt::format("{{\\b1}}x{{\\b0}}{}", open)
                                                        : open);
  }
  EXPECT_EQ(parse_srt("00:00:01,000 --> 00:00:02,000\na<i>b< / i >c<d <e>< f", "x")[0].text,
            "a{\\i1}b{\\i0}c< f");
}

TEST(Subtitles, FramesListTheFirstEventTheyLieStrictlyInside) {
  const std::vector<SubtitleEvent> events = {
      {1, 2, "edge"}, {2.5, 4.5, "twice"}, {3.5, 5.5, "over\\Nlap"}, {6, 8, " "}};
  EXPECT_EQ(listed_subtitles(events, {0, 1, 2, 3, 4, 5, 7}), "twice\ntwice\nover lap");
  EXPECT_EQ(listed_subtitles(events, {}), "");
}

TEST(Subtitles, InterleavingKeepsEveryFrameOnce) {
  const std::vector<SubtitleEvent> events = {
      {0.4, 1.6, "a"}, {50, 51, "never"}, {-3, -2, "before"}, {2.3, 2.5, "b"}};
  const auto parts = interleave_subtitles(events, {0, 1, 2, 3, 4});
  size_t next = 0;
  std::string texts;
  for (const SubtitlePart& part : parts) {
    if (part.frames > 0) {
      EXPECT_EQ(part.first_frame, next);
    }
    next += part.frames;
    texts += part.text;
  }
  EXPECT_EQ(next, 5);
  EXPECT_EQ(texts, "ab");
}

TEST(Subtitles, JsonOfBothKindsAndNoOther) {
  const test::TempDir dir;
  const auto events = read_subtitle_json(
      dir.write(
          "a.json",
          R"([{"timestamp":[20.5,null],"text":"x"},{"start":"0:00:21","end":"00:00:22.5","line":"y"}])"),
      20, 8);
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(events[0].start_s, 0.5);
  EXPECT_EQ(events[0].end_s, -12);
  EXPECT_EQ(events[1].end_s, 2.5);
  for (const char* text :
       {"{}", "[1]", R"([{"timestamp":[1],"text":"x"}])", R"([{"start":"1:2","end":"0:0:1","line":""}])",
        R"([{"timestamp":[1,2]}])", R"([{"start":1,"end":2,"line":"x"}])", "[", "\xff"}) {
    const auto path = dir.write("b.json", text);
    EXPECT_NE(error_of([&] { read_subtitle_json(path, 0, 1); }), "") << text;
  }
}

}  // namespace
}  // namespace vl3::eval
