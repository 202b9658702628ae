// The fields that say how the videos of a chat are sampled and pruned, and the bounds on its media.
#pragma once

#include "serve/openai/chat_request.h"
#include "serve/openai/fields.h"

namespace vl3::serve {

/// Of videos that do not say it themselves. @throws ApiError(400) naming the field.
void read_media_options(Fields& fields, ApiRequest& request);

/// @throws ApiError(400) for more media, or more frames of a video, than the limits allow.
void check_media(const ApiRequest& request, const RequestLimits& limits);

}  // namespace vl3::serve
