#include "media/frame_sampler.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/json.h"
#include "media/media_tools.h"
#include "media/video_reader.h"

namespace vl3::media {
namespace {

using test::error_of;
using test::ffmpeg_rgb;
using test::golden_dir;
using test::make_media;
using test::pattern;
using test::TempDir;

std::vector<int64_t> as_indices(const Json& list) { return list.get<std::vector<int64_t>>(); }

std::vector<int64_t> sources(const SampledFrames& frames) {
  std::vector<int64_t> out;
  for (const SampledFrame& frame : frames) out.push_back(frame.source_index);
  return out;
}

// A file of `count` frames at a constant rate, as the index would show it.
FrameIndex constant(int64_t count, int fps, int64_t start = 0) {
  FrameIndex index;
  index.time_base = {1, fps * 512};
  for (int64_t i = 0; i < count; ++i) index.pts.push_back(start + i * 512);
  index.keyframe.assign(static_cast<size_t>(count), 1);
  index.last_duration = 512;
  index.exact = true;
  return index;
}

VideoInfo file_info(const FrameIndex& index, double fps) {
  VideoInfo info;
  info.avg_fps = fps;
  info.start_s = index.seconds(0);
  info.duration_s = index.seconds(0) + index.span_s();
  info.container = "mov,mp4,m4a,3gp,3g2,mj2";
  info.streams = 1;
  return info;
}

TEST(GoldenSampling, NativeRule) {
  const std::filesystem::path path = golden_dir() / "tables/frame_sampling.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no tables/frame_sampling.json in " << golden_dir();
  const Json table = read_json_file(path);
  ASSERT_FALSE(table.at("native").empty());
  for (const Json& row : table.at("native")) {
    SampleOptions options;
    options.flow = Flow::kNative;
    options.fps = row.at(2).get<double>();
    options.max_frames = row.at(3).get<int64_t>();
    options.min_frames = row.at(4).get<int64_t>();
    const auto rule = [&] {
      return native_index_rule(row.at(0).get<int64_t>(), row.at(1).get<double>(), options);
    };
    if (row.at(5).is_string())
      EXPECT_NE(error_of(rule), "") << row.dump();
    else
      EXPECT_EQ(rule(), as_indices(row.at(5))) << row.dump();
  }
}

TEST(GoldenSampling, RemoteIndexRule) {
  const std::filesystem::path path = golden_dir() / "tables/frame_sampling.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no tables/frame_sampling.json in " << golden_dir();
  const Json table = read_json_file(path);
  ASSERT_FALSE(table.at("remote_index").empty());
  for (const Json& row : table.at("remote_index")) {
    const auto rule = [&] {
      return remote_index_rule(row.at(0).get<int64_t>(), row.at(1).get<double>(), row.at(2).get<double>(),
                               row.at(3).get<int64_t>());
    };
    if (row.at(4).is_string())
      EXPECT_NE(error_of(rule).find("is above the"), std::string::npos) << row.dump();
    else
      EXPECT_EQ(rule(), as_indices(row.at(4))) << row.dump();
  }
  for (const Json& row : table.at("remote_max_frames_cut")) {
    EXPECT_EQ(linspace_indices(row.at(0).get<int64_t>(), row.at(1).get<int64_t>()), as_indices(row.at(2)));
  }
}

TEST(GoldenSampling, FfmpegRuleOnTheClip) {
  const std::filesystem::path path = golden_dir() / "tables/mp4.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no tables/mp4.json in " << golden_dir();
  const Json info = read_json_file(path);
  const std::filesystem::path clip = golden_dir() / info.at("file").get<std::string>();
  ASSERT_TRUE(std::filesystem::exists(clip)) << "mp4.json lists " << clip;
  const MediaData media = open_media(clip.string());
  const FrameIndex index = build_frame_index(media);
  const VideoInfo video = Demuxer(media, {}).info();
  EXPECT_EQ(index.size(), info.at("frames").get<int64_t>());
  SampleOptions options;
  options.max_frames = 100000;
  const SampledFrames at_one = plan_frames(index, video, options);
  EXPECT_EQ(sources(at_one), as_indices(info.at("fps1_round_down_source_index")));
  for (size_t i = 0; i < at_one.size(); ++i)
    EXPECT_EQ(at_one[i].timestamp_s, info.at("fps1_timestamps")[i].get<double>());
  for (const auto& [fps, expected] : info.at("ffmpeg_fps_rule").items()) {
    options.fps = std::stod(fps);
    EXPECT_EQ(sources(plan_frames(index, video, options)), as_indices(expected)) << fps;
  }
}

std::vector<size_t> hashes(const std::string& frames, size_t size) {
  std::vector<size_t> out;
  for (size_t at = 0; at + size <= frames.size(); at += size)
    out.push_back(std::hash<std::string>()(frames.substr(at, size)));
  return out;
}

// The plan's frames are those which the ffmpeg program puts out for the reference's command.
void expect_like_ffmpeg(const std::filesystem::path& path, const std::string& fps,
                        std::optional<double> start, std::optional<double> end) {
  const MediaData media = open_media(path.string());
  const FrameIndex index = build_frame_index(media);
  const VideoInfo info = Demuxer(media, {}).info();
  SampleOptions options;
  options.fps = std::stod(fps);
  options.max_frames = 100000;
  options.start_s = start;
  options.end_s = end;
  const SampledFrames plan = plan_frames(index, info, options);
  std::string window;
  if (start || end) {
    const double from = start ? std::max(info.start_s, *start) : info.start_s;
    double length = info.duration_s - (start ? from - *start : 0);
    if (end) length = std::min(length, *end - from);
    window = fmt::format("-ss {:.6f} -t {:.6f} ", from - static_cast<double>(index.container_start_us) / 1e6,
                         length);
  }
  const size_t size = static_cast<size_t>(info.width) * static_cast<size_t>(info.height) * 3;
  const std::vector<size_t> all =
      hashes(ffmpeg_rgb("-i " + path.string() + " -map 0:v:0 -fps_mode passthrough"), size);
  std::vector<size_t> expected =
      hashes(ffmpeg_rgb(window + "-i " + path.string() + " -map 0:v:0 -vf fps=fps=" + fps +
                        ":round=down -fps_mode passthrough"),
             size);
  // The reference drops what lies beyond the end, after loading.
  const double first = plan[0].timestamp_s;
  while (end && !expected.empty() &&
         first + static_cast<double>(expected.size() - 1) / *options.fps > *end + 1e-9)
    expected.pop_back();
  std::vector<size_t> got;
  for (const SampledFrame& frame : plan) got.push_back(all.at(static_cast<size_t>(frame.source_index)));
  if (expected.empty() && got.size() == 1) return;  // our at-least-one guard
  EXPECT_TRUE(got == expected) << path << " fps " << fps << " window " << window << ": " << got.size()
                               << " frames, ffmpeg " << expected.size();
}

TEST(FrameSampler, EqualsTheFfmpegProgram) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::string input = pattern(64, 48, "10", "3");
  const std::string x264 = "-vf format=yuv420p -c:v libx264 -bf 2 -g 12 ";
  std::vector<std::filesystem::path> files = {
      make_media(dir, "constant.mp4", input + x264),
      make_media(dir, "gaps.mp4",
                 input + "-vf \"select='not(mod(n,3))+gt(n,20)',setpts='PTS+gt(N,8)*0.7/TB',format=yuv420p\" "
                         "-vsync vfr -c:v libx264 -bf 2"),
      make_media(dir, "rate.mkv", pattern(64, 48, "30000/1001", "2") + x264),
      make_media(dir, "stream.ts", input + x264),
      make_media(dir, "fragments.mp4", input + x264 + "-movflags frag_keyframe+empty_moov"),
  };
  files.push_back(make_media(dir, "late.mkv", "-itsoffset 2.5 -i " + files[0].string() + " -c copy"));
  files.push_back(make_media(dir, "cut.mp4", "-ss 1.35 -i " + files[0].string() + " -c copy"));
  for (const std::filesystem::path& path : files) {
    for (const char* fps : {"0.5", "1", "3", "29.97"}) expect_like_ffmpeg(path, fps, {}, {});
  }
  for (size_t i = 0; i < 3; ++i) {
    for (const char* fps : {"1", "3", "7.5"}) {
      expect_like_ffmpeg(files[i], fps, 0.35, {});
      expect_like_ffmpeg(files[i], fps, {}, 1.5);
      expect_like_ffmpeg(files[i], fps, 0.5, 1.9);
    }
  }
}

TEST(FrameSampler, RemoteTakesTheEndOfEachInterval) {
  const FrameIndex index = constant(45, 10);
  const SampledFrames frames = plan_frames(index, file_info(index, 10), {});
  EXPECT_EQ(sources(frames), (std::vector<int64_t>{9, 19, 29, 39}));
  EXPECT_EQ(frames[3].timestamp_s, 3.0);
  EXPECT_NEAR(frames[3].pts_s, 3.9, 1e-9);
}

TEST(FrameSampler, FrameCountIsTheWholeSeconds) {
  const auto count = [](int64_t frames, int fps) {
    const FrameIndex index = constant(frames, fps);
    return plan_frames(index, file_info(index, fps), {}).size();
  };
  EXPECT_EQ(count(21, 20), 1u);
  EXPECT_EQ(count(59, 20), 2u);
  EXPECT_EQ(count(60, 20), 3u);
  EXPECT_EQ(count(12, 20), 1u);  // 0.6 s: none in the reference
  EXPECT_EQ(count(1, 20), 1u);
}

TEST(FrameSampler, CutsToMaxFrames) {
  const FrameIndex index = constant(2000, 10);
  SampleOptions options;
  options.max_frames = 128;
  const SampledFrames frames = plan_frames(index, file_info(index, 10), options);
  ASSERT_EQ(frames.size(), 128u);
  EXPECT_EQ(frames.front().source_index, 9);
  EXPECT_EQ(frames.back().source_index, 1999);
  EXPECT_EQ(frames.back().timestamp_s, 199.0);
  EXPECT_EQ(frames[1].timestamp_s, 1.0);
  EXPECT_EQ(frames[2].timestamp_s, 3.0);
}

TEST(FrameSampler, WithoutFpsTimesReachTheEnd) {
  const FrameIndex index = constant(10, 10);
  SampleOptions options;
  options.fps.reset();
  const SampledFrames all = plan_frames(index, file_info(index, 10), options);
  ASSERT_EQ(all.size(), 10u);
  EXPECT_EQ(all.front().timestamp_s, 0.0);
  EXPECT_EQ(all.back().timestamp_s, 1.0);
  options.max_frames = 3;
  EXPECT_EQ(sources(plan_frames(index, file_info(index, 10), options)), (std::vector<int64_t>{0, 4, 9}));
}

TEST(FrameSampler, LabelsStartWhereTheStreamStarts) {
  FrameIndex index = constant(40, 10, 25 * 512);  // from 2.5 s
  index.container_start_us = 2'500'000;
  const SampledFrames frames = plan_frames(index, file_info(index, 10), {});
  EXPECT_EQ(sources(frames), (std::vector<int64_t>{9, 19, 29, 39}));
  EXPECT_EQ(frames[0].timestamp_s, 2.5);
  EXPECT_EQ(frames[3].timestamp_s, 5.5);
}

TEST(FrameSampler, ManyOutputsCostNothing) {
  const FrameIndex index = constant(86400, 1);
  SampleOptions options;
  options.fps = 1000;
  options.max_frames = 7;
  EXPECT_EQ(plan_frames(index, file_info(index, 1), options).size(), 7u);
}

TEST(FrameSampler, FoldersAndGifsHaveTheIndexRule) {
  const SampledFrames folder =
      plan_frames(folder_index(10, Flow::kRemote), folder_info(10, 4, 4, Flow::kRemote), {});
  EXPECT_EQ(sources(folder), (std::vector<int64_t>{1, 4, 7}));
  EXPECT_DOUBLE_EQ(folder[1].timestamp_s, 4.0 / 3);
  SampleOptions options;
  options.fps = 4;
  EXPECT_NE(error_of([&] {
              plan_frames(folder_index(10, Flow::kRemote), folder_info(10, 4, 4, Flow::kRemote), options);
            }).find("fps 4 is above the 3 frames a second"),
            std::string::npos);
  const FrameIndex gif = constant(60, 10);
  VideoInfo info = file_info(gif, 10);
  info.container = "gif";
  const SampledFrames frames = plan_frames(gif, info, {});
  EXPECT_EQ(sources(frames), (std::vector<int64_t>{12, 37}));
  EXPECT_DOUBLE_EQ(frames[1].timestamp_s, 37.0 / 25);
}

TEST(FrameSampler, NativeFolderCountsSeconds) {
  SampleOptions options;
  options.flow = Flow::kNative;
  const SampledFrames frames =
      plan_frames(folder_index(6, Flow::kNative), folder_info(6, 4, 4, Flow::kNative), options);
  EXPECT_EQ(sources(frames), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(frames[5].timestamp_s, 5.0);
}

TEST(FrameSampler, NativeSpreadsFromFrameZero) {
  const FrameIndex index = constant(45, 10);
  SampleOptions options;
  options.flow = Flow::kNative;
  const SampledFrames frames = plan_frames(index, file_info(index, 10), options);
  EXPECT_EQ(sources(frames), (std::vector<int64_t>{0, 11, 22, 33}));
  EXPECT_DOUBLE_EQ(frames[3].timestamp_s, 3.3);
  options.num_frames = 3;
  EXPECT_EQ(sources(plan_frames(index, file_info(index, 10), options)), (std::vector<int64_t>{0, 15, 30}));
  options.num_frames.reset();
  options.start_s = 2.0;
  options.end_s = 3.5;
  for (const SampledFrame& frame : plan_frames(index, file_info(index, 10), options)) {
    EXPECT_GE(frame.timestamp_s, 2.0);
    EXPECT_LE(frame.timestamp_s, 3.5);
  }
}

TEST(FrameSampler, ShortWindowsHaveTheIndexRule) {
  const FrameIndex index = constant(100, 10);
  SampleOptions options;
  options.fps = 5;
  options.start_s = 2.0;
  options.end_s = 2.8;
  EXPECT_EQ(sources(plan_frames(index, file_info(index, 10), options)),
            (std::vector<int64_t>{20, 22, 24, 26}));
  options.start_s = options.end_s = 0;  // the reference widens this to one second
  EXPECT_EQ(sources(plan_frames(index, file_info(index, 10), options)),
            (std::vector<int64_t>{1, 3, 5, 7, 9}));
  options.end_s = 0.05;
  EXPECT_EQ(plan_frames(index, file_info(index, 10), options).size(), 1u);
}

TEST(FrameSampler, RefusesBadOptions) {
  const FrameIndex index = constant(100, 10);
  const auto error = [&](auto change) {
    SampleOptions options;
    change(options);
    return error_of([&] { plan_frames(index, file_info(index, 10), options); });
  };
  EXPECT_NE(error([](auto& o) { o.fps = 0; }).find("fps is 0"), std::string::npos);
  EXPECT_NE(error([](auto& o) { o.fps = -1; }).find("fps is -1"), std::string::npos);
  EXPECT_NE(error([](auto& o) { o.fps = 1e9; }).find("at most 1000"), std::string::npos);
  EXPECT_NE(error([](auto& o) { o.fps = std::numeric_limits<double>::quiet_NaN(); }).find("fps is nan"),
            std::string::npos);
  EXPECT_NE(error([](auto& o) { o.max_frames = 0; }).find("max_frames is 0"), std::string::npos);
  EXPECT_NE(error([](auto& o) { o.start_s = -1; }).find("start is -1"), std::string::npos);
  EXPECT_NE(error([](auto& o) { o.start_s = 5, o.end_s = 3; }).find("end is 3 s, before the start at 5"),
            std::string::npos);
  EXPECT_NE(error([](auto& o) { o.start_s = 11; }).find("no frame between 11 s and its end"),
            std::string::npos);
  EXPECT_NE(
      error([](auto& o) { o.start_s = 20, o.end_s = 30; }).find("the video runs from 0.000 s to 10.000 s"),
      std::string::npos);
  EXPECT_NE(error([](auto& o) { o.flow = Flow::kNative, o.start_s = 11; }).find("no frame between"),
            std::string::npos);
  EXPECT_NE(error([](auto& o) { o.flow = Flow::kNative, o.num_frames = 101; }).find("there are 100"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::media
