// DiffFP: which visual tokens of a video are kept because their pixels changed. Fed one frame at a time, so
// that a video of any length needs the memory of one frame. Not thread-safe: one TokenPruner a video.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "preprocess/patchify.h"
#include "preprocess/token_difference.h"
#include "weights/model_config.h"

namespace vl3::preprocess {

enum class PruneReference {
  kPrevious,  ///< the frame directly before (the reference's rule); slow fades below the threshold are lost
  kLastKept,  ///< what was last kept at the token's place; slow fades add up until they are kept
};

struct PruneOptions {
  std::optional<bool> enabled = std::nullopt;  ///< unset: the checkpoint's use_token_compression
  double threshold =
      0.1;  ///< on 255 * mean |difference| of normalised pixels; a token at or under it is dropped
  PruneReference reference = PruneReference::kPrevious;
  int64_t min_tokens = 1;  ///< a frame that would keep fewer keeps its first min_tokens as well
};

class TokenPruner {
 public:
  /// @param merge  of the medium; @param tokens_per_frame  at least 1.
  /// @throws Error(kInvalidArgument) for options out of range; Error(kCorrupt) as TokenDifference.
  TokenPruner(const weights::PreprocessConfig& config, int64_t merge, int64_t tokens_per_frame,
              const PruneOptions& options);

  /// Takes the next frame and says which of its tokens are kept. Frame 0 is kept whole.
  /// @param patches  uint8 [tokens_per_frame, token_bytes()] in the order of patchify().
  /// @return uint8 [tokens_per_frame] of 0 and 1, valid until the next call.
  /// Source: spec/model.md 5; reference `videollama3_arch.py:_get_compression_mask`.
  std::span<const uint8_t> next(std::span<const uint8_t> patches);

  /// TokenDifference::sum() of the last frame's tokens against their reference; empty for frame 0 or when
  /// disabled.
  std::span<const double> differences() const { return differences_; }
  int64_t tokens_per_frame() const { return tokens_per_frame_; }
  int64_t min_tokens() const { return options_.min_tokens; }
  int64_t kept() const { return kept_; }  ///< tokens of all frames so far
  bool enabled() const { return enabled_; }

 private:
  void compare(const uint8_t* patches);

  TokenDifference difference_;
  PruneOptions options_;
  int64_t tokens_per_frame_;
  bool enabled_;
  double limit_;
  int64_t kept_ = 0;
  std::vector<uint8_t> reference_;   // [tokens_per_frame, token_bytes]; empty before frame 0
  std::vector<double> differences_;  // [tokens_per_frame]
  std::vector<uint8_t> mask_;        // [tokens_per_frame]
};

/// The masks of all frames of a medium held whole; an image, like a video of one frame, is kept whole.
/// @return uint8 [grid.t * tokens_per_frame].
std::vector<uint8_t> compression_mask(const PatchBatch& batch, const weights::PreprocessConfig& config,
                                      const PruneOptions& options);

}  // namespace vl3::preprocess
