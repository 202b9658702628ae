// What a request needs before it runs: tokens, memory, time. The same arithmetic answers `plan`, refuses what
// passes max_ram_bytes, and lowers frames for `fit`.
#pragma once

#include <string>
#include <vector>

#include "engine/request.h"
#include "vl3/engine.h"

namespace vl3::engine {

/// Predicted peak of the process, in bytes.
struct MemoryEstimate {
  uint64_t before = 0;  ///< Runtime::bytes_before_requests(), and media of this request that are in memory
  uint64_t weights =
      0;  ///< mapped pages that are touched, and quantised weights; now or by an earlier request
  uint64_t kv = 0;
  uint64_t work = 0;  ///< activations, frames on their way, logits
  uint64_t total() const { return before + weights + kv + work; }
};

/// @param rows  of the fused sequence, after pruning where that is known; @param new_tokens  the answer's
/// most. What does not fit the model's context counts no further.
MemoryEstimate estimate_memory(const Runtime& runtime, const Request& request, int64_t rows,
                               int64_t new_tokens);

/// @param describe  see RequestOptions; not together with options.fit.
Plan make_plan(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
               bool measure_pruning, const preprocess::PartDescriber& describe = nullptr);

/// What `fit` makes of a request.
struct Fit {
  Conversation conversation;  ///< its videos with fewer frames where that is enough, else as it was
  uint64_t wanted = 0;        ///< predicted as asked
  uint64_t bytes = 0;         ///< predicted with the fewest frames that were tried
  std::vector<std::string> changes = {};  ///< a line each, for people
};

/// With options.fit lowers the frames of all videos, whatever they ask for themselves, until
/// options.max_ram_bytes are enough; decides nothing. Where what pruning keeps decides whether the request as
/// it is fits, its videos are decoded once to see.
/// @param session_bytes  that the session keeps of earlier media, beside keys and values.
Fit fewer_frames(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                 const MediaOpener& opener, uint64_t session_bytes = 0);

/// Checks a request against options.max_ram_bytes. With options.fit its videos get fewer frames until it
/// fits, which is logged as a warning.
/// @return what was changed, a line each.
/// @throws Error(kResourceExhausted) when it does not fit.
std::vector<std::string> fit_memory(const Runtime& runtime, Conversation& conversation,
                                    const AskOptions& options, const MediaOpener& opener,
                                    uint64_t session_bytes = 0);

}  // namespace vl3::engine
