// Writing config.json and the processor configs of either layout. Internal to weights/.
#pragma once

#include <filesystem>

#include "core/json.h"
#include "weights/dtype.h"
#include "weights/model_config.h"

namespace vl3::weights {

/// @param config  its dims, ids and flags; the token ids are those of the layout written.
/// @param source_text  the text section of the config converted from ({} for none): keys that change nothing
/// in the network (bos_token_id, initializer_range, …) are taken over.
/// @throws Error(kUnsupported) for what the layout cannot say (another projector depth, another vision
/// rope_theta).
Json make_config(const ModelConfig& config, Flow layout, DType dtype, const Json& source_text);

/// preprocessor_config.json and video_preprocessor_config.json (native) or processor_config.json (remote).
/// @throws Error(kUnsupported) for native pixel limits that are not whole tokens, or not the same for images
/// and videos.
void write_processor_configs(const PreprocessConfig& preprocess, Flow layout,
                             const std::filesystem::path& folder);

/// Pretty-printed with a final newline, atomically.
void write_json_file(const std::filesystem::path& path, const Json& json);

}  // namespace vl3::weights
