// What decoding one picture holds at its peak, from the first bytes of its file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/media_fetcher.h"
#include "preprocess/media_item.h"

namespace vl3::engine {

/// Bytes a pixel that the decoder of this format holds beside the finished RGB picture: coefficients of a
/// progressive JPEG, all rows of an interlaced PNG, the planes of WebP and HEIF.
/// @param head  the beginning of the file; a JPEG whose frame header lies behind it counts as baseline.
double decoder_bytes_per_pixel(std::string_view head);

/// The file in memory, the decoder's own buffers and the RGB picture.
/// @param reference  of the picture. @param opener  unset, or naming decoded pictures: the RGB picture alone.
uint64_t still_decoding_bytes(const std::string& reference, const MediaOpener& opener, preprocess::Size size);

}  // namespace vl3::engine
