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
  /// Rows of the fused sequence whose logits are wanted; empty: the last one. A row has vocab_size of them.
  std::vector<int64_t> logits_positions = {};
  bool all_logits = false;          ///< every row, whatever stands above
  int64_t greedy_tokens = 24;       ///< generated without stopping at the end-of-sequence token
  double repetition_penalty = 1.0;  ///< of the greedy tokens
  bool penalise_prompt = true;
};

struct Trace {
  /// patches_u8 [N, 588], pixel_values (native: also pixel_values_videos), compression_mask, vision.*,
  /// projector.out, input_ids, llm_input_ids, inputs_embeds [L, D], hidden [P, D], logits [P, V]. Row order
  /// of visual tensors: remote = media in prompt order; native = all images, then all videos.
  std::map<std::string, at::Tensor> tensors;
  /// flow, prompt, grids, kept_tokens_per_frame and compression_mask (the same media: remote all, native
  /// videos; a medium, a frame, a row of 0 and 1 for its tokens), logits_positions, greedy, greedy_margins, …
  /// See docs/formats/trace.md.
  OrderedJson json;
};

/// @throws as prepare_request() and prefill().
Trace trace(const Runtime& runtime, text::Conversation conversation, const RequestOptions& request_options,
            const TraceOptions& options);

}  // namespace vl3::engine
