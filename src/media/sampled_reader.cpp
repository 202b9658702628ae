#include "media/sampled_reader.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "media/frame_seeker.h"
#include "media/image_reader.h"

namespace vl3::media {
namespace {

constexpr size_t kQueueBytes = 128u << 20;

}  // namespace

SampledReader::SampledReader(MediaData media, FrameIndex index, SampledFrames frames,
                             const MediaLimits& limits, const SampledReaderOptions& options)
    : media_(std::move(media)),
      index_(std::move(index)),
      frames_(std::move(frames)),
      limits_(limits),
      options_(options) {
  VL3_CHECK(!frames_.empty(), kInvalidArgument, "{}: no frames chosen", media_.name);
  VL3_CHECK(options_.queue_frames >= 1, kInvalidArgument, "a frame queue of {}; 1 or more",
            options_.queue_frames);
  for (size_t i = 0; i < frames_.size(); ++i) {
    const int64_t at = frames_[i].source_index;
    VL3_CHECK(at >= (i == 0 ? 0 : frames_[i - 1].source_index) && at < index_.size(), kInvalidArgument,
              "{}: frame {} chosen out of order or beyond {}", media_.name, at, index_.size());
  }
  thread_ = std::thread([this] { run(); });
}

SampledReader::~SampledReader() {
  cancel();
  thread_.join();
}

int64_t SampledReader::most_frames(uint64_t frame_bytes, const SampledReaderOptions& options) {
  const auto by_bytes = static_cast<int64_t>(kQueueBytes / std::max<uint64_t>(1, frame_bytes));
  return std::clamp<int64_t>(by_bytes, 1, options.queue_frames) + 1;
}

void SampledReader::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

std::string SampledReader::warning() const {
  const std::lock_guard lock(mutex_);
  return warning_;
}

std::optional<Frame> SampledReader::next() {
  std::unique_lock lock(mutex_);
  // The last frame waits until the thread has told all that it knows.
  const auto ready = [this] { return !queue_.empty() && queue_.front().entry + 1 < frames_.size(); };
  changed_.wait(lock, [&] { return ready() || done_ || cancelled_; });
  VL3_CHECK(!cancelled_, kCancelled, "{}: reading was cancelled", media_.name);
  if (queue_.empty()) {
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    VL3_CHECK(given_ > 0, kCorrupt, "{}: not one of its frames could be decoded", media_.name);
    return std::nullopt;
  }
  Item item = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= item.frame.rgb.size();
  changed_.notify_all();
  current_ = item.entry;
  ++given_;
  return std::move(item.frame);
}

// False when there is nobody left to read.
bool SampledReader::put(Frame frame, size_t entry) {
  std::unique_lock lock(mutex_);
  const auto room = [&] {
    return queue_.empty() || (queue_.size() < static_cast<size_t>(options_.queue_frames) &&
                              queued_bytes_ + frame.rgb.size() <= kQueueBytes);
  };
  changed_.wait(lock, [&] { return room() || cancelled_; });
  if (cancelled_) return false;
  queued_bytes_ += frame.rgb.size();
  queue_.push_back({std::move(frame), entry});
  changed_.notify_all();
  return true;
}

void SampledReader::finish(const std::string& warning) {
  const std::lock_guard lock(mutex_);
  warning_ = warning;
}

void SampledReader::run() {
  std::exception_ptr failure;
  try {
    if (!media_.in_memory() && std::filesystem::is_directory(media_.path))
      read_folder();
    else
      decode_video();
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  failure_ = failure;
  done_ = true;
  changed_.notify_all();
}

void SampledReader::decode_video() {
  const VideoOptions video{.threads = options_.decoder_threads, .cancelled = &cancelled_};
  FrameSeeker seeker(media_, index_, limits_, video, options_.allow_seeking);
  size_t put_count = 0;
  for (size_t i = 0; i < frames_.size();) {
    const int64_t wanted = frames_[i].source_index;
    const AVFrame* found = seeker.reach(wanted);
    // Of a video whose chosen frames are all broken, the last good one still tells something.
    if (found == nullptr && put_count == 0) found = seeker.last();
    if (found == nullptr) break;
    Frame frame = seeker.reader().to_rgb(*found);
    // Frames a decoder held back to the end may have lost their time (MPEG-4 in AVI); the index knows it.
    if (found->best_effort_timestamp == AV_NOPTS_VALUE) frame.pts_s = frames_[i].pts_s;
    for (; i + 1 < frames_.size() && frames_[i + 1].source_index == wanted; ++i, ++put_count) {
      if (!put(frame, i)) return;
    }
    if (!put(std::move(frame), i)) return;
    ++i, ++put_count;
  }
  const int64_t broken = seeker.reader().broken_packets();
  // Without a single frame next() throws instead.
  if (put_count > 0 && (put_count < frames_.size() || broken > 0)) {
    finish(
        fmt::format("{}: broken or cut off: {} of {} chosen frames could be read, {} packets did not decode",
                    media_.name, put_count, frames_.size(), broken));
  }
}

void SampledReader::read_folder() {
  const std::vector<std::filesystem::path> paths = list_frames(media_.path, limits_);
  int height = 0;
  int width = 0;
  for (size_t i = 0; i < frames_.size(); ++i) {
    const SampledFrame& chosen = frames_[i];
    VL3_CHECK(chosen.source_index < static_cast<int64_t>(paths.size()), kCorrupt,
              "{}: its pictures went away while being read", media_.name);
    const std::string path = paths[static_cast<size_t>(chosen.source_index)].string();
    Frame frame =
        read_image({.name = path, .path = path, .bytes = nullptr, .owner = nullptr}, options_.flow, limits_);
    if (i == 0) {
      height = frame.height;
      width = frame.width;
    }
    VL3_CHECK(frame.height == height && frame.width == width, kInvalidArgument,
              "{}: {} x {} pixels, the folder's first frame has {} x {}; frames of a video are of one size",
              path, frame.width, frame.height, width, height);
    frame.pts_s = chosen.pts_s;
    if (!put(std::move(frame), i)) return;
  }
}

}  // namespace vl3::media
