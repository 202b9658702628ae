// The fields that chats and plain completions share: how an answer is drawn, when it ends, how it is sent.
#pragma once

#include "serve/openai/chat_request.h"
#include "serve/openai/fields.h"

namespace vl3::serve {

/// @throws ApiError(400) naming the field.
void read_generation(Fields& fields, ApiRequest& request, const RequestLimits& limits);

}  // namespace vl3::serve
