// Generated pictures as samples that say what is in each patch (patch_labels.h): the data of the vision
// encoder's warm-up.
#pragma once

#include "data/data_config.h"
#include "data/loader.h"
#include "weights/model_config.h"

namespace vl3::data {

/// Builds from records of SynthList: one image, and kPatchTasks labels for each of its patches in
/// Sample::labels. Of the patches that show nothing, which are most of every picture, one in six is asked.
/// @throws Error(kInvalidArgument) for a source that is not generated, or draws anything but single images.
SampleFunctions patch_sample_functions(const DataConfig& data, const weights::PreprocessConfig& config);

}  // namespace vl3::data
