// How long a request will take here until its first token: short measurements of this machine and of the
// request's videos, scaled up by counting operations. Nothing is remembered from one call to the next.
#pragma once

#include "engine/request.h"

namespace vl3::engine {

/// Seconds of decoding and resizing all frames, from the first few of each video: sparse choices are reached
/// by seeking, so the cost of one depends on the file.
double decode_seconds(const Runtime& runtime, const Request& request);

/// Seconds of encoding the media and of running `rows` rows through the decoder. Measured are an MLP and an
/// attention of each of the two, of random numbers in the runtime's dtypes, on its device, through the
/// operations that the model itself uses.
double compute_seconds(const Runtime& runtime, const preprocess::VisualPlan& plan, int64_t rows);

/// Seconds of a generated token after `rows` rows: the decoder's weights and its cache are read once.
double token_seconds(const Runtime& runtime, int64_t rows);

}  // namespace vl3::engine
