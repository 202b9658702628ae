// Works a request through: text ids embedded, media encoded as they arrive, chunks of the fused sequence run
// through the decoder while later frames are still being decoded.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "engine/request.h"
#include "engine/vision_cache.h"
#include "lm/kv_cache.h"

namespace vl3::engine {

struct Progress {
  const char* stage;  ///< "decode", "encode" (images and frames), "prefill" (rows)
  int64_t done;
  int64_t total;  ///< 0 = unknown; of "prefill" without what pruning has dropped so far
};

/// What a caller may watch while a request is worked through; every member may be empty.
struct PrefillHooks {
  VisualObserver visual;
  std::function<void(const at::Tensor& embeddings_SD)> embeddings;  ///< chunk by chunk, in order
  std::function<void(const at::Tensor& hidden_SD)> hidden;          ///< final-norm output of the same chunks
  std::function<void(const Progress&)> progress;
  std::function<bool()> cancelled;
};

struct PrefillResult {
  std::vector<int64_t> ids;    ///< the fused sequence: text ids, placeholder ids for kept visual tokens
  std::vector<uint64_t> keys;  ///< one a row: equal keys mean equal content; for prefix reuse
  std::vector<std::vector<int64_t>> kept;  ///< a medium: kept tokens of each frame
  std::vector<std::vector<std::vector<uint8_t>>>
      masks;                  ///< a medium: [tokens_per_frame] of 0 and 1 of each frame
  at::Tensor last_hidden_1D;  ///< of the last row
  int64_t cached_rows = 0;    ///< rows that were in the KV cache already
  int64_t cached_media = 0;   ///< media whose visual tokens were remembered
  VisualSeconds visual;
  double prefill_seconds = 0;
  std::vector<std::string> warnings;
};

/// Fills `cache`, which holds the rows named by `cached_keys` (of an earlier request; may be empty): the
/// common prefix is kept, the rest is computed. `request` is shortened when a video breaks off.
/// @param more_rows  room to reserve in the cache behind the prompt, for the answer.
/// @throws Error(kCancelled) when hooks.cancelled says so; Error(kResourceExhausted) past
/// max_position_embeddings.
PrefillResult prefill(const Runtime& runtime, Request& request, lm::KvCache& cache,
                      const std::vector<uint64_t>& cached_keys, VisionCache& vision_cache,
                      const PrefillHooks& hooks, int64_t more_rows);

}  // namespace vl3::engine
