// What the server says of its model, and what its caches tell models apart by.
#pragma once

#include <string>

#include "engine/runtime.h"
#include "serve/queue/backend.h"

namespace vl3::serve {

ModelInfo describe_model(const engine::Runtime& runtime);

/// What visual tokens depend on beside the medium: the config, and the weight files as the system knows them.
/// @return SHA-256 in hex.
std::string model_fingerprint(const engine::Runtime& runtime);

}  // namespace vl3::serve
