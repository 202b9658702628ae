// Two compact pictures of a picture that change little when it is stored anew, resized or brightened: 256
// signs of a cosine transform of luma, and a thumbnail in colour. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "media/frame.h"

namespace vl3::curate {

/// Whether each of the 16 x 16 lowest frequencies of luma, but the mean, is above their median.
using PictureHash = std::array<uint64_t, 4>;

/// 8 x 8 cells of R, G, B in 16 levels, row by row.
using Thumb = std::array<uint8_t, 192>;

struct Likeness {
  PictureHash hash{};
  Thumb thumb{};
};

/// @param picture  RGB, at least 1 x 1; brought to 64 x 64 by averaging first.
Likeness likeness_of(const media::Frame& picture);

/// Differing bits, 0 … 256.
int hash_distance(const PictureHash& a, const PictureHash& b);

/// Of the cells, after the mean difference is taken out: one picture may be brighter all over.
struct ThumbDistance {
  double mean = 0;  ///< levels of 16
  double most = 0;  ///< of the cell that differs most
};
ThumbDistance thumb_distance(const Thumb& a, const Thumb& b);

/// 64 and 192 hex digits, and back. @throws Error(kCorrupt) for anything else.
std::string hash_text(const PictureHash& hash);
std::string thumb_text(const Thumb& thumb);
PictureHash parse_hash(const std::string& text);
Thumb parse_thumb(const std::string& text);

}  // namespace vl3::curate
