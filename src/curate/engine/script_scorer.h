// A TorchScript model as scorer: an aesthetic predictor, a classifier of watermarks, …. The file is code that
// runs with the user's rights: only ever one the user names. One thread.
#pragma once

#include <memory>

#include "curate/curate_config.h"
#include "curate/scorer.h"

namespace vl3::curate {

/// The model gets float32 [B, 3, side, side], the picture's middle square resized bilinearly, (value / 255 -
/// mean) / std, and gives a number each: [B] or [B, 1].
/// @throws Error(kNotFound), Error(kCorrupt) for a file that is no TorchScript; look() throws
/// Error(kInvalidArgument) for another shape of result.
std::unique_ptr<PictureModel> script_scorer(const ScorerConfig& config);

}  // namespace vl3::curate
