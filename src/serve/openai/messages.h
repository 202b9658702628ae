// OpenAI messages with the spellings that other servers' clients send, rewritten to those that
// text::parse_openai_messages() reads.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::serve {

/// Rewrites, in place: role "developer" to "system"; a null content of an assistant's turn to ""; `data`
/// (bare base64) in a medium's object to a data URL; "data:video/jpeg;base64,F1,F2" to a list of pictures.
/// Takes out what says nothing to this model: a message's "name", a part's "cache_control".
/// @return the "uuid" of each media part in order, "" without one. A null medium with a uuid becomes the
///   reference "uuid:ID".
/// @throws ApiError(400) where a part cannot be read.
std::vector<std::string> normalise_messages(Json& messages);

}  // namespace vl3::serve
