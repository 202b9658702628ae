// Receipts and plans as JSON: what `--json` prints and the API's `usage` carries.
#pragma once

#include "core/json.h"
#include "vl3/engine.h"

namespace vl3::engine {

OrderedJson to_json(const Receipt& receipt);
OrderedJson to_json(const Plan& plan);

}  // namespace vl3::engine
