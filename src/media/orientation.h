// EXIF orientation: finding it in metadata and turning pictures by it. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace vl3::media {

/// @param exif  a TIFF structure, with or without "Exif\0\0" in front; any bytes are safe
/// @return tag 0x0112 of the first directory; 0 when absent or unreadable
int exif_orientation(std::string_view exif);

/// @return tiff:Orientation of an XMP packet, 0 when absent. Pillow's exif_transpose reads it where EXIF has
/// none.
int xmp_orientation(std::string_view xmp);

/// 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 turned a quarter right, 7 transverse, 8 a quarter
/// left; every other value leaves the picture alone. Source: PIL.ImageOps.exif_transpose.
/// @param rgb  [height, width, 3]; height and width are swapped for 5 to 8
void apply_orientation(int orientation, int& height, int& width, std::vector<uint8_t>& rgb);

/// True when width and height change places.
inline bool orientation_swaps_sides(int orientation) { return orientation >= 5 && orientation <= 8; }

}  // namespace vl3::media
