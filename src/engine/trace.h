// Every intermediate tensor of one request under the names of the golden data: the parity check anyone can
// run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "engine/request.h"

namespace vl3::engine {

struct TraceOptions {
  std::vector<int64_t> logits_positions;  ///< rows of the fused sequence; empty: every row
  int64_t greedy_tokens = 24;             ///< generated without stopping at the end-of-sequence token
  double repetition_penalty = 1.0;        ///< of the greedy tokens
  bool penalise_prompt = true;
};

struct Trace {
  /// patches_u8 [N, 588], pixel_values (native: also pixel_values_videos), compression_mask, vision.*,
  /// projector.out, input_ids, llm_input_ids, inputs_embeds [L, D], hidden [P, D], logits [P, V]. Row order
  /// of visual tensors: remote = media in prompt order; native = all images, then all videos.
  std::map<std::string, at::Tensor> tensors;
  OrderedJson json;  ///< prompt, grids, kept_tokens_per_frame, greedy, greedy_margins, …
};

/// @throws as prepare_request() and prefill().
Trace trace(const Runtime& runtime, text::Conversation conversation, const RequestOptions& request_options,
            const TraceOptions& options);

}  // namespace vl3::engine
