// A golden case file (cases/<model>/<case>.<flow>.json) as the request it describes; also plain messages
// files.
#pragma once

#include <filesystem>

#include "engine/trace.h"

namespace vl3::engine {

struct TraceCase {
  text::Conversation conversation;  ///< media references made absolute
  RequestOptions request;
  TraceOptions trace;
};

/// @param path  JSON: `conversation` (or `messages`), add_system_prompt, add_generation_prompt,
/// logits_positions,
///   repetition_penalty; other keys are results and not read.
/// @param media_root  what relative media paths start from.
TraceCase read_trace_case(const std::filesystem::path& path, const std::filesystem::path& media_root);

}  // namespace vl3::engine
