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
  uint64_t weights = 0;  ///< mapped pages that will be touched, and quantised weights
  uint64_t kv = 0;
  uint64_t work = 0;  ///< activations, frames on their way, logits
  uint64_t total() const { return before + weights + kv + work; }
};

/// @param rows  of the fused sequence; @param new_tokens  room for the answer.
MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t new_tokens);

/// @param describe  see RequestOptions; not together with options.fit.
Plan make_plan(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
               bool measure_pruning, const preprocess::PartDescriber& describe = nullptr);

/// What `fit` makes of a request.
struct Fit {
  AskOptions options;                     ///< with max_frames lowered where that is enough, else as they were
  uint64_t wanted = 0;                    ///< predicted as asked
  uint64_t bytes = 0;                     ///< predicted with the fewest frames that were tried
  std::vector<std::string> changes = {};  ///< a line each, for people
};

/// With options.fit lowers max_frames until options.max_ram_bytes are enough; decides nothing.
Fit fewer_frames(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                 const MediaOpener& opener);

/// Checks a request against options.max_ram_bytes. With options.fit, max_frames of its videos is lowered
/// until it fits, which is logged as a warning.
/// @return what was changed, a line each.
/// @throws Error(kResourceExhausted) when it does not fit.
std::vector<std::string> fit_memory(const Runtime& runtime, const Conversation& conversation,
                                    AskOptions& options, const MediaOpener& opener);

}  // namespace vl3::engine
