// Decoding in a process of its own: the same frames as here, and what happens when that process does not
// behave.
#include "serve/media/media_worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/check.h"
#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::serve {
namespace {

const std::string kVideo = std::string(VL3_SOURCE_DIR) + "/examples/media/moving.mp4";
const std::string kImage = std::string(VL3_SOURCE_DIR) + "/examples/media/shapes.png";

std::shared_ptr<const Blob> blob(const std::string& path) {
  struct stat status {};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  VL3_CHECK(fd >= 0 && ::fstat(fd, &status) == 0, kNotFound, "{}", path);
  return std::make_shared<const Blob>(fd, path, "id:" + path, static_cast<uint64_t>(status.st_size));
}

std::vector<media::Frame> frames_of(const preprocess::MediaEntry& entry) {
  std::vector<media::Frame> frames;
  const media::FrameSource source = entry.open();
  while (auto frame = source()) frames.push_back(std::move(*frame));
  return frames;
}

// Direct children of a process, from /proc.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  DIR* proc = ::opendir("/proc");
  while (const dirent* entry = ::readdir(proc)) {
    const pid_t pid = std::atoi(entry->d_name);
    std::ifstream stat("/proc/" + std::string(entry->d_name) + "/stat");
    std::string skip, name, state;
    pid_t its_parent = 0;
    if (pid > 0 && stat >> skip >> name >> state >> its_parent && its_parent == parent && state != "Z")
      found.push_back(pid);
  }
  ::closedir(proc);
  return found;
}

MediaWorkerOptions options() { return {.program = VL3_MEDIA_WORKER, .timeout_s = 20}; }

TEST(MediaWorker, GivesTheFramesThatThisProcessWould) {
  const auto worker = MediaWorker::start(options());
  weights::PreprocessConfig config;
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    config.flow = flow;
    for (const bool video : {true, false}) {
      const std::string path = video ? kVideo : kImage;
      text::ContentPart part = media_part(path);
      text::Conversation conversation = {user_message({part})};
      const auto expected = preprocess::open_media_set(conversation, config, {}).front();
      const preprocess::MediaEntry found = worker->describe(part, {blob(path)}, config, {});
      EXPECT_EQ(part.kind, conversation[0].parts[0].kind);
      EXPECT_EQ(found.shape.size, expected.shape.size);
      EXPECT_EQ(found.shape.frames, expected.shape.frames);
      EXPECT_EQ(found.timestamps, expected.timestamps);
      EXPECT_EQ(found.source_index, expected.source_index);
      EXPECT_EQ(found.numpy_times, expected.numpy_times);
      EXPECT_EQ(found.duration_s, expected.duration_s);
      const auto a = frames_of(found), b = frames_of(expected), again = frames_of(found);
      ASSERT_EQ(a.size(), b.size());
      ASSERT_EQ(again.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].rgb, b[i].rgb);
        EXPECT_EQ(again[i].rgb, b[i].rgb);
        EXPECT_EQ(a[i].pts_s, b[i].pts_s);
      }
    }
  }
  EXPECT_EQ(worker->stats().crashes, 0u);
}

TEST(MediaWorker, KeysFollowContentAndChoiceOfFrames) {
  const auto worker = MediaWorker::start(options());
  text::ContentPart part = video_part("v"), sparse = video_part("v");
  sparse.max_frames = 2;
  const auto all = worker->describe(part, {blob(kVideo)}, {}, {}),
             two = worker->describe(sparse, {blob(kVideo)}, {}, {});
  text::ContentPart once_more = video_part("another name");
  EXPECT_EQ(all.key, worker->describe(once_more, {blob(kVideo)}, {}, {}).key);
  EXPECT_NE(all.key, two.key);
}

TEST(MediaWorker, TakesEveryFieldOfAPart) {
  const auto worker = MediaWorker::start(options());
  weights::PreprocessConfig native;
  native.flow = Flow::kNative;
  text::ContentPart counted = video_part("v"), pictures = video_part("");
  counted.num_frames = 3;
  EXPECT_EQ(worker->describe(counted, {blob(kVideo)}, native, {}).shape.frames, 3);
  pictures.frames = {"x"};
  pictures.source = "clip.mp4";
  pictures.fps = 1;  // of the source: read by people only
  EXPECT_EQ(worker->describe(pictures, {blob(kImage)}, native, {}).shape.frames, 1);
}

TEST(MediaWorker, ManyPicturesAsOneVideo) {
  const auto worker = MediaWorker::start(options());
  text::ContentPart part = video_part("");
  part.frames.assign(150, "x");  // more descriptors than one message takes
  const std::vector<std::shared_ptr<const Blob>> blobs(150, blob(kImage));
  const auto entry = worker->describe(part, blobs, {}, {});
  EXPECT_EQ(entry.shape.frames, 150);
  EXPECT_EQ(frames_of(entry).size(), 150u);
}

size_t descriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(MediaWorker, MediaInOrdinaryMemoryGiveTheSameFrames) {
  const auto worker = MediaWorker::start(options());
  for (const std::string& path : {kVideo, kImage}) {
    const auto in_memory = std::make_shared<const Blob>(read_file(path, 1 << 20), path, "id:" + path);
    ASSERT_LT(in_memory->fd(), 0);
    text::ContentPart part = media_part("m"), same = media_part("m");
    const auto a = frames_of(worker->describe(part, {in_memory}, {}, {})),
               b = frames_of(worker->describe(same, {blob(path)}, {}, {}));
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].rgb, b[i].rgb);
  }
}

TEST(MediaWorker, ALongListInOrdinaryMemoryTakesNoDescriptorsHere) {
  const auto worker = MediaWorker::start(options());
  const std::string picture = read_file(kImage, 1 << 20);
  std::vector<std::shared_ptr<const Blob>> blobs;
  for (int i = 0; i < 768; ++i)
    blobs.push_back(std::make_shared<const Blob>(picture, "picture", "id" + std::to_string(i)));
  blobs[5] = blob(kImage);  // one that has its own between them
  text::ContentPart part = video_part("");
  part.frames.assign(blobs.size(), "x");
  const size_t before = descriptors();
  const auto entry = worker->describe(part, blobs, {}, {});
  EXPECT_LE(descriptors(), before + 2);
  const auto frames = frames_of(entry);
  ASSERT_EQ(frames.size(), 768u);
  for (const media::Frame& frame : frames) EXPECT_EQ(frame.rgb, frames.front().rgb);
  blobs[700] = std::make_shared<const Blob>("junk", "frame 700", "id");
  text::ContentPart broken = part;
  const std::string error = test::error_of([&] { frames_of(worker->describe(broken, blobs, {}, {})); });
  EXPECT_NE(error.find("frame 700"), std::string::npos) << error;
}

TEST(MediaWorker, WhatIsWrongWithAMediumComesBackAsItsError) {
  const auto worker = MediaWorker::start(options());
  const test::TempDir dir;
  dir.write("broken.mp4", "no video at all");
  text::ContentPart part = video_part("v");
  const std::string error =
      test::error_of([&] { worker->describe(part, {blob(dir / "broken.mp4")}, {}, {}); });
  EXPECT_TRUE(error.starts_with("unsupported") || error.starts_with("corrupt")) << error;
  media::MediaLimits limits;
  limits.max_pixels = 100;
  EXPECT_TRUE(test::error_of([&] {
                worker->describe(part, {blob(kVideo)}, {}, limits);
              }).starts_with("limit reached"));
  EXPECT_EQ(worker->stats().crashes, 0u);
}

TEST(MediaWorker, AKilledChildFailsItsMediumOnly) {
  const auto worker = MediaWorker::start(options());
  text::ContentPart part = video_part("v");
  const auto entry = worker->describe(part, {blob(kVideo)}, {}, {});
  const auto helpers = children_of(::getpid());
  ASSERT_FALSE(helpers.empty());
  for (const pid_t helper : helpers) {
    for (const pid_t child : children_of(helper)) ::kill(child, SIGKILL);
  }
  EXPECT_THROW(frames_of(entry), Error);
  EXPECT_EQ(worker->stats().crashes, 1u);
  text::ContentPart next = video_part("v");
  EXPECT_EQ(frames_of(worker->describe(next, {blob(kVideo)}, {}, {})).size(), 4u);
}

TEST(MediaWorker, AHungChildIsGivenUpAndEnds) {
  MediaWorkerOptions quick = options();
  quick.timeout_s = 0.5;
  const auto worker = MediaWorker::start(quick);
  text::ContentPart part = video_part("v");
  std::vector<pid_t> stopped;
  {
    const auto entry = worker->describe(part, {blob(kVideo)}, {}, {});
    for (const pid_t helper : children_of(::getpid())) {
      for (const pid_t child : children_of(helper)) {
        ::kill(child, SIGSTOP);
        stopped.push_back(child);
      }
    }
    EXPECT_TRUE(test::error_of([&] { frames_of(entry); }).starts_with("limit reached"));
    EXPECT_EQ(worker->stats().timeouts, 1u);
  }
  for (const pid_t child : stopped) ::kill(child, SIGCONT);
}

TEST(MediaWorker, AKilledHelperIsStartedAgain) {
  const auto worker = MediaWorker::start(options());
  for (const pid_t helper : children_of(::getpid())) ::kill(helper, SIGKILL);
  text::ContentPart part = image_part("i");
  size_t frames = 0;
  for (int i = 0; i < 3 && frames == 0; ++i) {
    try {
      frames = frames_of(worker->describe(part, {blob(kImage)}, {}, {})).size();
    } catch (const Error&) {  // the socket took the job before the kill was seen
    }
  }
  EXPECT_EQ(frames, 1u);
  EXPECT_EQ(worker->stats().restarts, 1u);
}

TEST(MediaWorker, AMemoryHogIsStopped) {
  MediaWorkerOptions small = options();
  small.max_memory_bytes = 256 << 20;
  const auto worker = MediaWorker::start(small);
  const test::TempDir dir;
  // A PNG whose header promises 12000 x 12000 pixels: 432 MB decoded.
  std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x2e\xe0\0\0\x2e\xe0\x08\x02\0\0\0", 29);
  png += std::string("\x1e\x8c\xc6\x7f", 4);
  dir.write("bomb.png", png);
  text::ContentPart part = image_part("i");
  EXPECT_THROW(frames_of(worker->describe(part, {blob(dir / "bomb.png")}, {}, {})), Error);
  text::ContentPart good = image_part("i");
  EXPECT_EQ(frames_of(worker->describe(good, {blob(kImage)}, {}, {})).size(), 1u);
}

}  // namespace
}  // namespace vl3::serve
