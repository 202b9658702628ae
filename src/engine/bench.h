// Speed of the parts of a model on this machine, in the units `spec` and peers report. Weights' values don't
// matter.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "engine/runtime.h"

namespace vl3::engine {

struct BenchOptions {
  std::vector<std::string> only;  ///< keys; empty: all that bench_keys() lists
  int repeats = 3;                ///< timed runs after one that is not counted
};

/// "encode2240" (one 784x560 image), "encode12544" (16 frames of 392x392), "prefill512", "prefill2048",
/// "decode0", "decode4096" (tokens at a depth), "decode_batch8" (of eight sequences together, as the server
/// makes them; on the CPU), "preprocess" (1080p frames to patches), "video1080p" (decoding), "video64" (a
/// question about a H.264 clip of 64 frames of 392x392, to its first token; run once, for it takes minutes).
std::vector<std::string> bench_keys();

/// @return an object: a key each with tokens_per_s, patches_per_s or frames_per_s (of the median run),
/// seconds of every run, repeats (video64: its prompt_tokens, too); then load_s, ready_s (from the start of
/// the process until a request could have been taken), peak_rss_bytes, threads, dtype, kv_cache_dtype,
/// device.
/// @throws Error(kInvalidArgument) for an unknown key.
OrderedJson bench(const Runtime& runtime, const BenchOptions& options);

}  // namespace vl3::engine
