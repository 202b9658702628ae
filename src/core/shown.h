// A JSON value inside an error message.
#pragma once

#include <string>

#include "core/json.h"

namespace vl3 {

/// At most 60 characters of ASCII; what is long is named, not printed.
std::string shown(const Json& value);

}  // namespace vl3
