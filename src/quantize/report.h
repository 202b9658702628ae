// The verdict for people and as JSON.
#pragma once

#include <string>

#include "core/json.h"
#include "quantize/quantize.h"

namespace vl3::quantize {

/// Format: docs/guides/quantize.md.
OrderedJson to_json(const Report& report);

/// A line a part, then a line a kind of matrix with the worst of its layers.
std::string table_of(const Report& report);

}  // namespace vl3::quantize
