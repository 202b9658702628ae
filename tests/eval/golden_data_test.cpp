// Items, groups, prompts, frames and pictures against the golden set.
#include <gtest/gtest.h>

#include <algorithm>

#include "eval/golden_eval.h"
#include "eval/run/conversation.h"
#include "eval/run/frames.h"
#include "eval/run/prompt.h"
#include "media/image_reader.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Sampling sampling_of(const Json& json) {
  Sampling sampling;
  if (json.contains("fps")) sampling.fps = json["fps"].get<double>();
  if (json.contains("max_frames")) sampling.max_frames = json["max_frames"].get<int64_t>();
  return sampling;
}

/// The user message as the golden set writes it.
Json content_of(const Item& item, const Sampling& sampling) {
  const auto times = [&](const Medium& video) { return frame_times(video, sampling); };
  Json content = Json::array();
  for (const PromptPart& part : prompt_parts(item, times)) {
    if (part.medium < 0) {
      content.push_back({{"type", "text"}, {"text", part.text}});
      continue;
    }
    const Medium& medium = item.media[static_cast<size_t>(part.medium)];
    if (!medium.video) {
      content.push_back({{"type", "image"}});
      continue;
    }
    std::vector<double> seconds = times(medium);
    if (part.frames > 0)
      seconds = std::vector<double>(seconds.begin() + static_cast<int64_t>(part.first_frame),
                                    seconds.begin() + static_cast<int64_t>(part.first_frame + part.frames));
    content.push_back({{"type", "video"}, {"num_frames", seconds.size()}, {"timestamps", seconds}});
  }
  return content;
}

/// Text with "<image>" where a picture stands.
std::string instruction_of(const Item& item) {
  std::string text;
  for (const Piece& piece : item.prompt) text += piece.medium < 0 ? piece.text : "<image>";
  return text;
}

Json mean_rgb(const media::Frame& frame) {
  double sums[3] = {0, 0, 0};
  for (size_t i = 0; i < frame.rgb.size(); ++i) sums[i % 3] += frame.rgb[i];
  const double pixels = static_cast<double>(frame.rgb.size()) / 3;
  return {sums[0] / pixels, sums[1] / pixels, sums[2] / pixels};
}

void expect_colours(const Json& expected, const Json& found, double tolerance, const std::string& where) {
  ASSERT_EQ(expected.size(), found.size()) << where;
  for (size_t i = 0; i < expected.size(); ++i) {
    for (size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(expected[i][c].get<double>(), found[i][c].get<double>(), tolerance)
          << where << " picture " << i;
  }
}

std::vector<media::Frame> pictures_of(const Item& item) {
  std::vector<media::Frame> pictures;
  for (const Medium& medium : item.media)
    pictures.push_back(
        media::read_image(media::media_from_bytes(medium.bytes(), medium.key()), Flow::kRemote));
  return pictures;
}

class GoldenEvalData : public testing::TestWithParam<std::string> {};

TEST_P(GoldenEvalData, ItemsAndPrompts) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Sampling sampling = sampling_of(golden.expected["sampling"]);
  for (const Defects defects : {Defects::kFixed, Defects::kOfficial}) {
    const Dataset data = golden.load(defects);
    const Json& expected = golden.expected["items"];
    ASSERT_EQ(data.items.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const Item& item = data.items[i];
      EXPECT_EQ(item.id, expected[i]["id"]);
      if (expected[i].contains("content")) {
        EXPECT_EQ(difference(expected[i]["content"], content_of(item, sampling), id_text(item.id)), "");
      } else {
        EXPECT_EQ(instruction_of(item), expected[i]["instruction"].get<std::string>());
      }
      if (expected[i].contains("ground_truth")) {
        EXPECT_EQ(difference(expected[i]["ground_truth"], item.ground_truth, id_text(item.id)), "");
      }
      if (expected[i].contains("task_type")) {
        const Json& types = expected[i]["task_type"];
        EXPECT_EQ(Json(item.task_types), types.is_array() ? types : Json::array({types}));
      }
    }
  }
}

/// `--preset paper` asks for what the official code asks for.
TEST_P(GoldenEvalData, SamplingArguments) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Json& expected = golden.expected["sampling"];
  const Dataset data = golden.load(Defects::kFixed);
  const auto is_video = [](const Medium& medium) { return medium.video; };
  const auto item = std::find_if(data.items.begin(), data.items.end(), [&](const Item& one) {
    return std::any_of(one.media.begin(), one.media.end(), is_video);
  });
  const bool video = item != data.items.end();
  EXPECT_EQ(video, golden.expected["modality"] == "video");
  if (!video) return;
  EXPECT_EQ(expected["fps"], kPaperFps);
  EXPECT_EQ(expected["max_frames"], kPaperFrames);
  Sampling sampling;
  sampling.flow = Flow::kRemote;
  ConversationBuilder builder(sampling, false);
  int64_t parts = 0;
  const Conversation conversation = builder.build(*item);
  for (const ContentPart& part : conversation.back().parts) {
    if (part.kind != PartKind::kVideo || !part.frames.empty()) continue;
    ++parts;
    EXPECT_EQ(part.precise_time, expected["precise_time"].get<bool>());
    EXPECT_EQ(part.fps, kPaperFps);
    EXPECT_EQ(part.max_frames, kPaperFrames);
  }
  if (item->subtitles.kind != SubtitleSource::kInterleaved) {
    EXPECT_GT(parts, 0);
  }
}

TEST_P(GoldenEvalData, OtherSampling) {
  const GoldenBenchmark golden = read_golden(GetParam());
  if (!golden.expected.contains("other_sampling")) return;
  const Json& other = golden.expected["other_sampling"];
  const Dataset data = golden.load(Defects::kFixed);
  for (const Json& row : other["items"]) {
    const auto item =
        std::find_if(data.items.begin(), data.items.end(), [&](const Item& i) { return i.id == row["id"]; });
    ASSERT_NE(item, data.items.end());
    EXPECT_EQ(difference(row["content"], content_of(*item, sampling_of(other)), id_text(item->id)), "");
  }
}

TEST_P(GoldenEvalData, GroupsAndShares) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Dataset data = golden.load(Defects::kFixed);
  const Json& groups = golden.expected["groups"];
  ASSERT_EQ(data.groups.size(), groups.size());
  Json shares = {Json::array(), Json::array()};
  for (size_t g = 0; g < groups.size(); ++g) {
    Json ids = Json::array();
    for (const size_t i : data.groups[g]) {
      ids.push_back(data.items[i].id);
      shares[g % 2].push_back(data.items[i].id);
    }
    EXPECT_EQ(ids, groups[g]["ids"]);
    const Medium& medium = data.items[data.groups[g].front()].media.front();
    if (groups[g]["media"].is_null()) {
      EXPECT_TRUE(medium.bytes);
    } else {
      EXPECT_EQ(medium.path, golden.root / groups[g]["media"].get<std::string>());
    }
    for (const auto& [key, value] : {std::pair("start", medium.start), std::pair("end", medium.end)}) {
      if (groups[g].contains(key)) {
        EXPECT_EQ(value ? Json(*value) : Json(), groups[g][key]);
      }
    }
  }
  EXPECT_EQ(shares, golden.expected["rank_split_of_2"]);
}

TEST_P(GoldenEvalData, Frames) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Dataset data = golden.load(Defects::kFixed);
  const Json& groups = golden.expected["groups"];
  for (size_t g = 0; g < groups.size(); ++g) {
    if (!groups[g].contains("timestamps")) continue;
    const Medium& video = data.items[data.groups[g].front()].media.front();
    Json times = Json::array(), colours = Json::array();
    for (const media::Frame& frame : read_frames(video, sampling_of(golden.expected["sampling"]))) {
      times.push_back(frame.pts_s);
      colours.push_back(mean_rgb(frame));
    }
    EXPECT_EQ(difference(groups[g]["timestamps"], times, video.key()), "");
    expect_colours(groups[g]["frame_mean_rgb"], colours, 3, video.key());
  }
}

TEST_P(GoldenEvalData, PicturesInsideParquet) {
  const GoldenBenchmark golden = read_golden(GetParam());
  const Dataset data = golden.load(Defects::kFixed);
  const Json& expected = golden.expected["items"];
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].contains("image_sizes")) continue;
    Json sizes = Json::array(), colours = Json::array();
    for (const media::Frame& picture : pictures_of(data.items[i])) {
      sizes.push_back({picture.width, picture.height});
      colours.push_back(mean_rgb(picture));
    }
    EXPECT_EQ(sizes, expected[i]["image_sizes"]) << id_text(data.items[i].id);
    expect_colours(expected[i]["image_mean_rgb"], colours, 1, id_text(data.items[i].id));
  }
}

INSTANTIATE_TEST_SUITE_P(Set, GoldenEvalData, testing::ValuesIn(golden_names()), golden_test_name);

TEST(GoldenEvalTrim, ClipsOfEveryStartAndEnd) {
  const fs::path folder = test::golden_eval_dir() / "trim";
  const Json expected = read_json_file(folder / "expected.json");
  for (const Json& row : expected["cases"]) {
    Medium clip;
    clip.video = true;
    clip.path = folder / expected["media"].get<std::string>();
    clip.start = row["start"].get<double>();
    clip.end = row["end"].get<double>();
    Sampling sampling = sampling_of(row);
    sampling.max_frames = expected["max_frames"].get<int64_t>();
    Json times = Json::array(), colours = Json::array();
    for (const media::Frame& frame : read_frames(clip, sampling)) {
      times.push_back(frame.pts_s);
      colours.push_back(mean_rgb(frame));
    }
    const std::string where = clip.key() + " at " + row["fps"].dump();
    if (row["timestamps"].empty()) {
      EXPECT_EQ(times.size(), 1) << where;  // no clip without a picture
      continue;
    }
    EXPECT_EQ(difference(row["timestamps"], times, where), "");
    expect_colours(row["frame_mean_rgb"], colours, 3, where);
  }
}

}  // namespace
}  // namespace vl3::eval
