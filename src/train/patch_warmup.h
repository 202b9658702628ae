// The embedded model's stage 0 for its vision encoder: every patch of a generated picture says what it shows
// and where it lies (data/patch_labels.h), through a head that is thrown away. Stands in for the image-text
// pre-training that a SigLIP encoder comes with; the architecture stays as it is.
#pragma once

#include "train/trainer.h"

namespace vl3::train {

/// Trains the vision encoder alone, at lr.vision_encoder_lr, on the generated images of config.data.sources;
/// the other parts are written as they were. One process. Short: it begins anew where it is interrupted.
/// @throws Error(kInvalidArgument) for a source that is not generated or holds no images, for another part's
///   learning rate, and for a folder that holds a run; otherwise as train().
TrainReport warm_up_encoder(const TrainConfig& config, const TrainHooks& hooks = {});

}  // namespace vl3::train
