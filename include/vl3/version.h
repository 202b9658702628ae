// The version of this vl3.
#pragma once

namespace vl3 {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace vl3
