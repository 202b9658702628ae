// An ONNX model as scorer, run by OpenVINO. One thread.
#pragma once

#include <memory>

#include "curate/curate_config.h"
#include "curate/scorer.h"

namespace vl3::curate {

/// The model gets one picture at a time, float32 [1, 3, side, side], the picture's middle square resized
/// bilinearly, (value / 255 - mean) / std, and gives one number. OpenVINO's library is looked for when the
/// first such scorer is made: in the folder it was built with, then where the system's loader looks.
/// @throws Error(kNotFound) without the file, Error(kCorrupt) for a file that is no ONNX, Error(kUnsupported)
/// where OpenVINO is not found; look() throws Error(kInvalidArgument) for another shape of result.
std::unique_ptr<PictureModel> onnx_scorer(const ScorerConfig& config);

}  // namespace vl3::curate
