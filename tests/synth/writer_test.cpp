#include "synth/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "core/file.h"
#include "media/image_reader.h"
#include "media/probe.h"
#include "media/sampled_reader.h"
#include "media/video_reader.h"
#include "support/temp_dir.h"
#include "synth/walk.h"

namespace vl3::test {
namespace {

using namespace synth;
namespace fs = std::filesystem;

std::vector<Json> lines(const fs::path& path) {
  std::istringstream stream(read_file(path, 1 << 26));
  std::vector<Json> all;
  for (std::string line; std::getline(stream, line);) all.push_back(Json::parse(line));
  return all;
}

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

SynthOptions mixed() {
  SynthOptions options;
  options.seed = 9;
  options.image_codec = Codec::kRaw;
  options.sensor_noise = 0;
  options.mixture = {{"scene", {"few"}, 1},
                     {"multi", {"few"}, 1},
                     {"text", {"short"}, 1},
                     {"video", {"f3"}, 1},
                     {"stream", {"short"}, 1}};
  return options;
}

TEST(Writer, WritesTheOfficialFormat) {
  TempDir dir;
  write_dataset(mixed(), {dir / "set", 40});
  const std::vector<Json> annotations = lines(dir / "set/annotations.jsonl");
  ASSERT_EQ(annotations.size(), 40U);
  int streams = 0, videos = 0, images = 0, several = 0, texts = 0;
  for (const Json& sample : annotations) {
    ASSERT_TRUE(sample["id"].is_string());
    if (sample.contains("stream")) {
      ++streams;
      EXPECT_TRUE(sample["stream"].get<bool>());
      EXPECT_EQ(sample["video"].size(), 1U);
      double before = -1;
      for (const Json& turn : sample["conversation"]) {
        EXPECT_TRUE(turn["role"] == (before < 0 ? "user" : "assistant"));
        EXPECT_GE(turn["time"].get<double>(), before);
        EXPECT_LE(turn["time"].get<double>(), sample["end_time"].get<double>());
        EXPECT_FALSE(turn["content"].get<std::string>().empty());
        before = turn["time"].get<double>();
      }
      continue;
    }
    std::string human;
    for (size_t i = 0; i < sample["conversations"].size(); ++i) {
      const Json& turn = sample["conversations"][i];
      EXPECT_EQ(turn["from"], i % 2 == 0 ? "human" : "gpt");
      if (i % 2 == 0) human += turn["value"].get<std::string>();
    }
    EXPECT_EQ(sample["conversations"].size() % 2, 0U);
    const size_t pictures = !sample.contains("image")    ? 0
                            : sample["image"].is_array() ? sample["image"].size()
                                                         : 1;
    EXPECT_EQ(count(human, "<image>"), static_cast<int>(pictures));
    EXPECT_EQ(count(human, "<video>"), sample.contains("video") ? 1 : 0);
    if (sample.contains("video")) {
      EXPECT_EQ(sample["video"].size(), 1U);
      ++videos;
    } else if (pictures > 1) {
      ++several;
    } else if (pictures == 1) {
      ++images;
    } else {
      ++texts;
    }
  }
  EXPECT_GT(std::min({streams, videos, images, several, texts}), 0);
  EXPECT_EQ(read_json_file(dir / "set/manifest.json")["options"]["seed"], 9);
}

TEST(Writer, MediaComeBackThroughTheReaders) {
  TempDir dir;
  write_dataset(mixed(), {dir / "set", 30, VideoFiles::kH264, 4});
  const Generator generator(options_for_files(mixed(), VideoFiles::kH264, 4));
  const std::vector<Json> facts = lines(dir / "set/facts.jsonl");
  for (uint64_t i = 0; i < 30; ++i) {
    const Sample sample = generator.sample(i);
    const Json& line = facts[i];
    ASSERT_EQ(line["id"], sample.id);
    ASSERT_EQ(line["questions"].size(), sample.questions.size());
    if (sample.type == MediaType::kImage || sample.type == MediaType::kImages) {
      for (size_t k = 0; k < sample.frames.size(); ++k) {
        const std::string name = line["media"][k];
        const media::Frame back =
            media::read_image(media::open_media((dir / "set" / name).string()), Flow::kRemote);
        ASSERT_EQ(back.width, sample.frames[k].width);
        if (name.ends_with(".png")) {
          EXPECT_EQ(back.rgb, sample.frames[k].rgb);
        }
      }
    } else if (sample.type != MediaType::kText) {
      const std::string name = line["media"][0];
      const auto back = media::read_all_frames(media::open_media((dir / "set" / name).string()), 1000);
      ASSERT_EQ(back.size(), sample.frames.size());
      EXPECT_NEAR(back.back().pts_s, sample.frames.back().pts_s, 1e-6);
      // Four frames a second; the schedule's own second is one of them.
      EXPECT_NEAR(static_cast<double>(back.size()), sample.facts.duration_s * 4, 1e-6);
    }
  }
}

// What is trained in memory is what `vl3 ask` sees of the file: the same frames with the same times.
TEST(Writer, SamplersChooseTheFramesThatAReaderOfTheFileChooses) {
  for (const ClipSampler sampler : {ClipSampler::kNative, ClipSampler::kRemote}) {
    TempDir dir;
    SynthOptions options = mixed();
    options.mixture = {{"video", {"f5", "f8"}, 1}};
    options.codec = Codec::kRaw;
    WriteOptions write;
    write.out = dir / "set";
    write.count = 6;
    write.file_fps = 8;
    write_dataset(options, write);
    options.render_fps = 8;
    options.sampler = sampler;
    const Generator generator(options);
    const Flow flow = sampler == ClipSampler::kNative ? Flow::kNative : Flow::kRemote;
    for (uint64_t i = 0; i < write.count; ++i) {
      const Sample sample = generator.sample(i);
      const media::MediaData file =
          media::open_media((dir / "set" / fmt::format("media/{:07}.mp4", i)).string());
      const media::MediaInfo info = media::probe_media(file, flow);
      media::SampleOptions sampling;
      sampling.flow = flow;
      const media::SampledFrames planned = media::plan_frames(info.index, info.video, sampling);
      media::SampledReader reader(file, info.index, planned);
      ASSERT_EQ(planned.size(), sample.frames.size()) << sample.id;
      for (const media::Frame& frame : sample.frames) {
        const auto read = reader.next();
        ASSERT_TRUE(read.has_value());
        EXPECT_NEAR(reader.sampled().timestamp_s, frame.pts_s, 1e-6) << sample.id;
        double sum = 0;
        for (size_t at = 0; at < frame.rgb.size(); ++at) sum += std::abs(read->rgb[at] - frame.rgb[at]);
        EXPECT_LT(sum / static_cast<double>(frame.rgb.size()), 8) << sample.id << " at " << frame.pts_s;
      }
    }
  }
}

TEST(Writer, FramesAsPngAreBitExact) {
  TempDir dir;
  SynthOptions options = mixed();
  options.mixture = {{"video", {"f3"}, 1}};
  write_dataset(options, {dir / "set", 5, VideoFiles::kPng});
  const Generator generator(options);
  for (uint64_t i = 0; i < 5; ++i) {
    const Sample sample = generator.sample(i);
    for (size_t k = 0; k < sample.frames.size(); ++k) {
      const media::Frame back = media::read_image(
          media::open_media((dir / "set" / fmt::format("media/{:07}/{:05}.png", i, k)).string()),
          Flow::kRemote);
      EXPECT_EQ(back.rgb, sample.frames[k].rgb);
    }
  }
}

TEST(Writer, OneAnnotationAQuestionWhereWanted) {
  TempDir dir;
  write_dataset(mixed(), {.out = dir / "set", .count = 20, .single = true});
  size_t questions = 0;
  for (const Json& line : lines(dir / "set/facts.jsonl"))
    questions += line["media_type"] == "stream" ? 1 : line["questions"].size();
  const auto annotations = lines(dir / "set/annotations.jsonl");
  EXPECT_EQ(annotations.size(), questions);
  for (const Json& sample : annotations) {
    if (!sample.contains("stream")) {
      EXPECT_EQ(sample["conversations"].size(), 2U);
    }
  }
}

TEST(Writer, ConversationsAskFirstWhatGivesLeastAway) {
  SynthOptions options;
  options.mixture = {{.kind = "chart", .levels = {"bars3"}}, {.kind = "stream", .levels = {}}};
  const Generator generator(options);
  int longer = 0;
  for (uint64_t index = 0; index < 40; ++index) {
    const Sample sample = generator.sample(index);
    const OrderedJson annotation = annotations_of(sample, {"a"}, /*single=*/false).front();
    if (sample.type == MediaType::kStream) {
      for (size_t i = 0; i < sample.questions.size(); ++i)
        EXPECT_EQ(annotation.at("conversation").at(i + 1).at("content"), sample.questions[i].answer);
      continue;
    }
    const OrderedJson& turns = annotation.at("conversations");
    ASSERT_EQ(turns.size(), 2 * sample.questions.size());
    size_t before = 0;
    for (size_t i = 1; i < turns.size(); i += 2) {
      const size_t length = turns[i].at("value").get<std::string>().size();
      EXPECT_GE(length, before);
      longer += length > before ? 1 : 0;
      before = length;
    }
    EXPECT_TRUE(turns[0].at("value").get<std::string>().starts_with("<image>")) << turns[0];
  }
  EXPECT_GT(longer, 40);
}

TEST(Writer, WritesWholeFoldersOrNone) {
  TempDir dir;
  dir.write("filled/x", "mine");
  EXPECT_TRUE(says(error_of([&] { write_dataset(mixed(), {dir / "filled", 1}); }), "is not empty"));
  EXPECT_TRUE(says(error_of([&] { write_dataset(mixed(), {dir / "no/such/parent", 1}); }), "cannot be made"));
  EXPECT_TRUE(says(error_of([&] {
                     write_dataset(mixed(), {dir / "slow", 1, VideoFiles::kH264, 0.5});
                   }),
                   "file_fps: 0.5 is below fps"));
  EXPECT_TRUE(says(error_of([&] {
                     write_dataset(mixed(), {dir / "stopped", 10}, [](uint64_t done, uint64_t) {
                       if (done == 3) throw Error(ErrorCode::kCancelled, "stop");
                     });
                   }),
                   "stop"));
  size_t left = 0;
  for (const auto& entry : fs::directory_iterator(dir.path()))
    left += entry.path().filename() != "filled" ? 1 : 0;
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(read_file(dir / "filled/x", 100), "mine");
}

}  // namespace
}  // namespace vl3::test
