// A VideoLLaMA3 checkpoint as judge: its encoder's pooled features, and how much a picture helps its decoder
// to foresee the caption. Stands in for the CLIP of the paper's recipe. One thread.
#pragma once

#include <memory>

#include "curate/curate_config.h"
#include "curate/scorer.h"
#include "engine/runtime.h"

namespace vl3::curate {

/// Features (features = "encoder"): the mean of the merged patches after the post layer norm, of length 1.
/// Score "caption_gain": mean over the caption's tokens of log p(token | picture, tokens before) minus the
/// same with a grey picture, in nats. Right captions gain, those of other pictures lose. Not given without a
/// caption.
/// @param runtime  shared with whoever else uses the checkpoint.
std::unique_ptr<PictureModel> engine_model(std::shared_ptr<const engine::Runtime> runtime,
                                           const CurateConfig& config);

}  // namespace vl3::curate
