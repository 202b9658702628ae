// Bicubic resizing of 8-bit RGB, equal to Pillow 12.3 in every byte: antialiased; horizontal pass first, its
// result rounded to bytes, then vertical (very tall pictures the other way); an axis that keeps its length is
// not filtered. Thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/media_item.h"

namespace vl3::preprocess {

/// Resizes one picture. Works through the rows in a window, so beside input and output it holds about
/// (4 * in.height / out.height + 32) rows of the output's width, never the whole intermediate picture.
///
/// @param rgb  uint8 [in.height, in.width, 3].
/// @param resized  uint8 [out.height, out.width, 3]; must not overlap rgb.
/// @throws Error(kInvalidArgument) for an empty size or a span of another length.
/// Source: spec/model.md 2.3; Pillow `Resample.c`, `Image.py:resize`.
void resize_bicubic(std::span<const uint8_t> rgb, Size in, std::span<uint8_t> resized, Size out);

std::vector<uint8_t> resize_bicubic(std::span<const uint8_t> rgb, Size in, Size out);

/// The same result written the plain way, two loops and a whole intermediate picture: the oracle of the
/// tests.
std::vector<uint8_t> resize_bicubic_plain(std::span<const uint8_t> rgb, Size in, Size out);

}  // namespace vl3::preprocess
