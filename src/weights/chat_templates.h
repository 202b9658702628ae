// The chat templates that written checkpoints carry: our own jinja text with the behaviour of spec "Prompt".
// vl3 itself builds prompts without jinja (text/); these are for transformers and the official code.
#pragma once

#include <string_view>

#include "core/flow.h"

namespace vl3::weights {

/// Variables: messages, add_generation_prompt, add_system_prompt (default false); remote also image_token
/// (default "<image>"), and for a video part num_frames and optional timestamps.
std::string_view chat_template(Flow layout);

}  // namespace vl3::weights
