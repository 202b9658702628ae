// What a request needs before it runs: tokens, memory, time. The same arithmetic answers `plan`, refuses what
// passes max_ram_bytes, and lowers frames for `fit`.
#pragma once

#include <string>
#include <vector>

#include "engine/request.h"
#include "vl3/engine.h"

namespace vl3::engine {

/// Predicted peak of the process, in bytes. `before` is what it holds already (libraries, converted weights).
struct MemoryEstimate {
  uint64_t before = 0;
  uint64_t weights = 0;  ///< mapped pages that will be touched
  uint64_t kv = 0;
  uint64_t work = 0;  ///< activations, frames on their way, logits
  uint64_t total() const { return before + weights + kv + work; }
};

/// @param rows  of the fused sequence; @param new_tokens  room for the answer.
MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t new_tokens);

Plan make_plan(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
               bool measure_pruning);

/// Checks a request against options.max_ram_bytes. With options.fit, max_frames of its videos is lowered
/// until it fits.
/// @return what was changed, a line each.
/// @throws Error(kResourceExhausted) when it does not fit.
std::vector<std::string> fit_memory(const Runtime& runtime, const Conversation& conversation,
                                    AskOptions& options);

}  // namespace vl3::engine
