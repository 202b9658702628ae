// What `vl3 curate` plugs into the pipeline: models that score, the engine that captions.
#pragma once

#include <memory>

#include "curate/captioner.h"
#include "curate/curate_config.h"
#include "curate/scorer.h"

namespace vl3::cli {

/// @throws Error from loading; Error(kUnsupported) for a kind of scorer that is not built in.
curate::Models load_curate_models(const curate::CurateConfig& config);

/// Continuous batching over config.model. @throws Error from loading.
std::unique_ptr<curate::Captioner> make_captioner(const curate::CurateConfig& config);

}  // namespace vl3::cli
