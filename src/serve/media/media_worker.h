// Media are probed and decoded in a process of their own: one child for each medium, forked from a small
// helper program that holds no model. A crash, a hang or a memory hog ends that child and costs its own
// request.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "media/limits.h"
#include "preprocess/media_set.h"
#include "serve/media/blob.h"
#include "serve/media/worker_channel.h"
#include "vl3/error.h"
#include "weights/model_config.h"

namespace vl3::serve {

struct MediaWorkerOptions {
  std::string program;                     ///< path of vl3-media-worker
  uint64_t max_memory_bytes = 4ull << 30;  ///< address space of one child
  double timeout_s = 60;                   ///< without progress
  size_t max_waiting =
      32;  ///< children kept between probing and decoding; beyond, the medium is probed again
};

class MediaWorker : public std::enable_shared_from_this<MediaWorker> {
 public:
  /// Starts the helper. @throws Error(kNotFound) where it cannot be.
  static std::shared_ptr<MediaWorker> start(MediaWorkerOptions options);
  ~MediaWorker();

  /// Probes one medium of a conversation; the entry's open() decodes in the child.
  /// @param blobs  what the part's media or frames name, in order.
  /// @throws Error: what was wrong with the medium; kCorrupt when the child crashed, kResourceExhausted when
  /// it hung.
  preprocess::MediaEntry describe(text::ContentPart& part,
                                  const std::vector<std::shared_ptr<const Blob>>& blobs,
                                  const weights::PreprocessConfig& config, const media::MediaLimits& limits);

  struct Stats {
    uint64_t jobs = 0, crashes = 0, timeouts = 0, restarts = 0;
    size_t waiting = 0;
  };
  Stats stats() const;

 private:
  friend class WorkerJob;
  explicit MediaWorker(MediaWorkerOptions options) : options_(std::move(options)) {}
  void spawn();
  /// A child for one medium. @param helper  which helper it is of, for is_gone().
  std::unique_ptr<WorkerChannel> connect(uint64_t* helper);
  /// Whether that helper has ended: what its children were at was not to blame.
  bool is_gone(uint64_t helper);
  [[noreturn]] void failed(const Error& error, const std::string& name);

  MediaWorkerOptions options_;
  std::mutex mutex_;
  int control_ = -1;
  pid_t pid_ = -1;
  uint64_t helper_ = 0;  // counts the helpers that were started
  std::atomic<uint64_t> jobs_{0}, crashes_{0}, timeouts_{0}, restarts_{0};
  std::atomic<size_t> waiting_{0};
};

}  // namespace vl3::serve
