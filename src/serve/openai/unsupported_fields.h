// Fields of OpenAI's and other servers' APIs that would change an answer and are not done here: refused, for
// whoever sent one would read an answer to another question.
#pragma once

#include "serve/openai/fields.h"

namespace vl3::serve {

/// Of chats and plain completions. A value that asks for nothing (null, false, an empty list, …) is fine.
/// @throws ApiError(400) naming the field.
void refuse_unsupported(Fields& fields);

/// Of chats and of prompts made from messages: tools, other templates, other kinds of answers.
void refuse_unsupported_of_chats(Fields& fields);

}  // namespace vl3::serve
