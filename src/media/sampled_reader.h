// Gives the chosen frames of a video one at a time, decoding ahead on its own thread into a small queue.
// However long the video, memory holds the queue, the decoder's own frames and the index; nothing else.
//
// Sparse choices are reached by seeking to the keyframe before each, where the container allows it; the
// frames are the same as with plain decoding, and where they turn out not to be, it starts over without
// seeking.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "media/frame.h"
#include "media/frame_sampler.h"
#include "media/source.h"

namespace vl3::media {

struct SampledReaderOptions {
  // Does not change the result:
  int queue_frames = 4;     ///< decoded RGB frames waiting for next(), at least 1; fewer where they are large
  int decoder_threads = 2;  ///< see VideoOptions
  bool allow_seeking = true;
  // Changes the result:
  Flow flow = Flow::kRemote;  ///< folders only: how their pictures are read
};

class SampledReader {
 public:
  /// @param frames  ascending, of plan_frames() for this index; not empty
  SampledReader(MediaData media, FrameIndex index, SampledFrames frames, const MediaLimits& limits = {},
                const SampledReaderOptions& options = {});
  ~SampledReader();  ///< stops and joins the thread, whatever it is doing
  SampledReader(const SampledReader&) = delete;
  SampledReader& operator=(const SampledReader&) = delete;

  /// The next chosen frame, all of one size; nothing after the last. A frame that does not decode is replaced
  /// by the one shown before it; those beyond a broken end are left out, with a warning. Not for several
  /// threads at once.
  /// @throws Error(kCorrupt) when no frame at all could be decoded, Error(kCancelled) after cancel(), and
  /// what VideoReader and read_image throw.
  std::optional<Frame> next();

  /// The plan's entry for the frame last given.
  const SampledFrame& sampled() const { return frames_[current_]; }

  /// Decoded RGB frames that exist at most, beside those that whoever calls next() holds: the queue, and one
  /// that waits to get into it.
  static int64_t most_frames(uint64_t frame_bytes, const SampledReaderOptions& options = {});

  /// Any thread may ask; next() throws from then on.
  void cancel();

  /// What was wrong with the video, "" when nothing; complete once next() has given the last chosen frame, or
  /// nothing.
  std::string warning() const;

 private:
  struct Item {
    Frame frame;
    size_t entry;  ///< into frames_
  };
  void run();
  void decode_video();
  void read_folder();
  bool put(Frame frame, size_t entry);
  void finish(const std::string& warning);

  const MediaData media_;
  const FrameIndex index_;
  const SampledFrames frames_;
  const MediaLimits limits_;
  const SampledReaderOptions options_;
  size_t current_ = 0;
  int64_t given_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;  // guarded by mutex_, as the four below
  size_t queued_bytes_ = 0;
  bool done_ = false;
  std::exception_ptr failure_;
  std::string warning_;
  std::atomic<bool> cancelled_{false};
  std::thread thread_;  // last: starts when all else is there
};

}  // namespace vl3::media
