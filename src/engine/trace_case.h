// A golden case file (cases/<model>/<case>.<flow>.json), or messages as `ask` takes them, as the request to
// trace.
#pragma once

#include <filesystem>

#include "engine/trace.h"

namespace vl3::engine {

struct TraceCase {
  text::Conversation conversation;  ///< media references made absolute
  RequestOptions request;
  TraceOptions trace;
};

/// @param path  JSON: `conversation`, add_system_prompt, add_generation_prompt, logits_positions,
///   repetition_penalty; other keys are results and not read.
/// @param media_root  what relative media paths start from.
TraceCase read_trace_case(const std::filesystem::path& path, const std::filesystem::path& media_root);

/// What `ask --messages FILE` would run. @param path  as text::parse_openai_messages() takes it.
TraceCase read_trace_messages(const std::filesystem::path& path, const std::filesystem::path& media_root);

}  // namespace vl3::engine
