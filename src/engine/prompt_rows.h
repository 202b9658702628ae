// The rows of a request's prompt as they become known: text ids at once, a frame's kept tokens when it is
// encoded. Whoever computes them takes their embeddings in pieces, or skips what a cache holds already. One
// thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/visual_stream.h"
#include "fuse/embedding_stream.h"

namespace vl3::engine {

/// Visual tokens of media seen before. What find() gives is checked against the medium's plan.
struct VisionMemory {
  std::function<std::shared_ptr<const std::vector<FrameFeatures>>(const std::string& key)>
      find;                                                                            ///< may be empty
  std::function<void(const std::string& key, std::vector<FrameFeatures> frames)> put;  ///< may be empty
};

struct PromptRowsHooks {
  VisualObserver visual;
  std::function<void(const char* stage, int64_t done, int64_t total)> progress;  ///< "decode", "encode"
  std::function<bool()> cancelled;
  std::function<void()> arrived;  ///< on the reader's thread: advance() may get further now
};

class PromptRows {
 public:
  /// Starts decoding the media that are not remembered. `request` is shortened when a video breaks off; both
  /// references must outlive this.
  PromptRows(const Runtime& runtime, Request& request, VisionMemory memory, PromptRowsHooks hooks,
             int64_t batch_patches = VisualStream::kBatchPatches);

  enum class Wait {
    kForFrames,  ///< as long as it takes
    kNever,      ///< only as far as frames are there, and at most one batch of them is encoded
    kNoEncoding  ///< only what needs no work
  };
  /// Goes on until `rows` rows are held or the prompt is whole.
  /// @return whether anything was encoded.
  /// @throws Error(kCancelled) when hooks.cancelled says so; Error(kResourceExhausted) past
  ///   max_position_embeddings; what decoding throws, named.
  bool advance(int64_t rows, Wait wait);
  bool whole() const { return next_item_ >= request_.items.size() && waiting_.empty(); }
  const std::vector<int64_t>& ids() const { return ids_; }     ///< of all rows so far
  const std::vector<uint64_t>& keys() const { return keys_; }  ///< one a row: equal keys mean equal content
  const std::vector<int32_t>& media() const {
    return media_;
  }  ///< one a row: the medium it shows, -1 for text
  const std::string& medium_key(size_t m) const { return medium_keys_[m]; }

  /// Rows of the whole prompt: at most while frames are still to come, exactly once it is whole.
  int64_t most_rows() const;

  int64_t held() const { return embeddings_.rows(); }                 ///< rows neither taken nor skipped
  at::Tensor take(int64_t limit) { return embeddings_.take(limit); }  ///< [S, D]
  void skip(int64_t count) { embeddings_.skip(count); }
  /// A row of text once more behind all others (the last one, when a cache held them all).
  void repeat_last();

  std::vector<std::vector<int64_t>> kept;  ///< a medium: kept tokens of each frame
  std::vector<std::vector<std::vector<uint8_t>>>
      masks;  ///< a medium: [tokens_per_frame] of 0 and 1 of each frame
  int64_t cached_media = 0;
  int64_t encoded_frames = 0;
  std::vector<std::string> warnings;  ///< whole once the prompt is
  VisualSeconds visual_seconds() const { return stream_ ? stream_->seconds() : VisualSeconds{}; }

 private:
  std::string key_of(size_t m) const;
  std::shared_ptr<const std::vector<FrameFeatures>> fitting(
      size_t m, std::shared_ptr<const std::vector<FrameFeatures>> frames) const;
  void start_stream();
  void add_row(int64_t id, uint64_t key, int32_t medium);
  void add_text(int64_t id);
  void release_waiting();
  bool add_frame(const PromptItem& item);
  size_t drop_rest_of(const PromptItem& item);
  void finish();
  void check_cancelled() const;

  const Runtime& runtime_;
  Request& request_;
  VisionMemory memory_;
  PromptRowsHooks hooks_;
  const int64_t batch_patches_;
  fuse::EmbeddingStream embeddings_;
  std::vector<int64_t> ids_;
  std::vector<uint64_t> keys_;
  std::vector<int32_t> media_;
  std::vector<std::string> medium_keys_;
  std::vector<std::shared_ptr<const std::vector<FrameFeatures>>> remembered_;
  std::vector<std::vector<FrameFeatures>> fresh_;
  std::vector<size_t> stream_media_;
  std::unique_ptr<VisualStream> stream_;
  size_t next_item_ = 0;
  int64_t total_frames_ = 0;
  bool inside_video_ = false, finished_ = false;
  std::vector<int64_t> waiting_;
};

}  // namespace vl3::engine
