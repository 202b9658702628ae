// A tensor of a mapped file as a stream of bytes in another dtype. Internal to weights/.
#pragma once

#include <string>

#include "weights/quantised_view.h"
#include "weights/safetensors.h"
#include "weights/shard_writer.h"

namespace vl3::weights {

/// Pages already written are dropped, so that memory does not grow with the file. Rounds to nearest, ties to
/// even.
/// @throws Error(kInvalidArgument) for values beyond the range of `to`.
void stream_tensor(const TensorView& view, const std::string& name, DType to, const ByteSink& sink);

/// The same for a quantised weight, as numbers.
void stream_tensor(const QuantisedView& view, const std::string& name, DType to, const ByteSink& sink);

}  // namespace vl3::weights
