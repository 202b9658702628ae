// The fields that bind an answer to a schema, a regular expression or a list of choices, in the spellings of
// OpenAI, vLLM (new and old), SGLang and llama.cpp.
#pragma once

#include "serve/openai/fields.h"
#include "vl3/generation_config.h"

namespace vl3::serve {

/// @throws ApiError(400) for a constraint that is not known here, says nothing, or stands beside another one:
///   none is dropped.
void read_constraints(Fields& fields, GenerationConfig& config);

}  // namespace vl3::serve
