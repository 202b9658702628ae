// data: URLs (RFC 2397) and percent escapes. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vl3::media {

/// @param url  "data:[type][;parameters][;base64],content"
/// @throws Error(kInvalidArgument) without a comma, Error(kCorrupt) for broken base64 or escapes,
///   Error(kResourceExhausted) when the content would pass max_bytes.
std::string decode_data_url(std::string_view url, uint64_t max_bytes);

/// "data:TYPE;base64,…". @throws Error(kResourceExhausted) for 1 GiB and more.
std::string encode_data_url(std::string_view type, std::string_view bytes);

/// Replaces %XX. @throws Error(kCorrupt) for a broken escape.
std::string percent_decode(std::string_view text, const std::string& what);

}  // namespace vl3::media
