// Media to visual tokens as a pipeline: a worker decodes, resizes, patchifies and prunes into a bounded queue
// while the caller's thread encodes and projects frames of one size in batches. Memory does not grow with the
// number of frames. One caller thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/model.h"
#include "media/frame.h"
#include "preprocess/compression_mask.h"
#include "preprocess/normalise.h"
#include "preprocess/request_plan.h"

namespace vl3::engine {

/// One image or video to be encoded.
struct VisualInput {
  preprocess::MediumPlan plan;
  std::function<media::FrameSource()> open;
  preprocess::PruneOptions prune;
};

/// The visual tokens of one image or frame.
struct FrameFeatures {
  size_t medium = 0;  ///< index into the inputs
  int64_t frame = 0;
  std::vector<uint8_t> mask;  ///< [tokens_per_frame] of 0 and 1
  int64_t kept = 0;
  at::Tensor features_KD;  ///< [kept, D], the decoder's embedding dtype
};

/// Seconds each stage worked; decode and preprocess overlap encode.
struct VisualSeconds {
  double decode = 0, preprocess = 0, encode = 0;
};

/// Sees every tensor of the visual path: "patches_u8" uint8 [T, N, 588], "pixel_values",
/// "vision.patch_embed", …, "vision.encoder_out", "projector.out", all with the frames of one batch first.
using VisualObserver =
    std::function<void(const char* name, size_t medium, int64_t first_frame, const at::Tensor& tensor)>;

class VisualStream {
 public:
  /// Patches encoded at once: enough rows for the products to run at full speed, few enough that a batch's
  /// activations (about 20 KB a patch at 2B dims) stay near 60 MB. How frames fall into batches depends on
  /// nothing else, so the same medium gives the same numbers every time.
  static constexpr int64_t kBatchPatches = 3072;

  /// @param inputs  in the order their frames are wanted. Opened one after the other by the worker.
  /// @param waiting  called about ten times a second by next() while it waits for the reader, with the images
  /// and frames that the reader has handed over; what it throws leaves next().
  /// @param arrived  called by the reader whenever something was handed over; quick, and throws nothing.
  VisualStream(const VideoLlama3Impl& model, const weights::PreprocessConfig& config,
               std::vector<VisualInput> inputs, at::Device device, at::ScalarType activation_dtype,
               VisualObserver observer = nullptr, std::function<void(int64_t decoded)> waiting = nullptr,
               std::function<void()> arrived = nullptr, int64_t batch_patches = kBatchPatches);
  ~VisualStream();
  VisualStream(const VisualStream&) = delete;
  VisualStream& operator=(const VisualStream&) = delete;

  /// The next image or frame, media in order. nullopt: this medium broke off before its planned number of
  /// frames; the next call goes on with the medium after it.
  /// @throws what decoding throws, with the medium's index as context added by the caller.
  std::optional<FrameFeatures> next();

  /// What next() would do now.
  enum class Next {
    kGives,    ///< return what is encoded already
    kEncodes,  ///< encode a batch first, whose frames are all here
    kWaits,    ///< wait for the reader
  };
  Next what_next() const;

  VisualSeconds seconds() const;
  /// Images and frames that went through the encoder so far: a frame that is bit-identical to the one before
  /// it, once resized, takes that one's features (unless an observer wants to see each).
  int64_t encoded() const { return encoded_; }

 private:
  struct Prepared {
    size_t medium = 0;
    int64_t frame = 0;
    bool end = false;   // the medium broke off here
    bool same = false;  // as the frame before it, in all bytes: comes without patches
    std::vector<uint8_t> patches = {};
    std::vector<uint8_t> mask = {};
  };

  void work();
  bool push(Prepared item);  // false when the stream is being destroyed
  void encode_batch();
  void wait_for_batch(std::unique_lock<std::mutex>& lock);
  bool batch_is_whole() const;
  size_t batch_limit(size_t medium) const;

  const VideoLlama3Impl& model_;
  weights::PreprocessConfig config_;
  preprocess::NormaliseTable table_;
  std::vector<VisualInput> inputs_;
  at::Device device_;
  at::ScalarType activation_dtype_;
  VisualObserver observer_;
  std::function<void(int64_t)> waiting_;
  std::function<void()> arrived_;
  const int64_t batch_patches_;

  std::deque<std::optional<FrameFeatures>> ready_;
  at::Tensor last_encoded_1MD_;  // of the last frame before the batch, where the next may be the same
  int64_t encoded_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Prepared> queue_;
  size_t queued_bytes_ = 0;
  int64_t decoded_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
  VisualSeconds seconds_;
  std::thread worker_;
};

}  // namespace vl3::engine
