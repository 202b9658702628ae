#include "media/orientation.h"

#include <gtest/gtest.h>

#include <string>

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;

std::string exif_little(int orientation) {
  return "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + static_cast<char>(orientation) +
         "\0\0\0"s;
}

TEST(Orientation, ReadsBothByteOrders) {
  EXPECT_EQ(exif_orientation(exif_little(6)), 6);
  EXPECT_EQ(exif_orientation("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"s), 8);
  EXPECT_EQ(exif_orientation(exif_little(9)), 0);
}

TEST(Orientation, AnyPrefixIsSafe) {
  const std::string whole = exif_little(3);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_LE(exif_orientation(whole.substr(0, size)), 3);
  EXPECT_EQ(exif_orientation("II*\0\xff\xff\xff\xff"s), 0);
  EXPECT_EQ(exif_orientation(""), 0);
}

TEST(Orientation, ReadsXmpInBothForms) {
  EXPECT_EQ(xmp_orientation("<x tiff:Orientation=\"6\"/>"), 6);
  EXPECT_EQ(xmp_orientation("tiff:Orientations <tiff:Orientation>8</tiff:Orientation>"), 8);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation>"), 0);
}

// A 2 x 3 picture of the letters abc/def, one a pixel.
std::string turned(int orientation) {
  std::vector<uint8_t> rgb;
  for (const char c : "abcdef"s) rgb.insert(rgb.end(), 3, static_cast<uint8_t>(c));
  int height = 2;
  int width = 3;
  apply_orientation(orientation, height, width, rgb);
  std::string out;
  for (int i = 0; i < height * width; ++i) {
    if (i > 0 && i % width == 0) out += '/';
    out += static_cast<char>(rgb[static_cast<size_t>(i) * 3]);
  }
  return out;
}

TEST(Orientation, TurnsAsPillowDoes) {
  EXPECT_EQ(turned(1), "abc/def");
  EXPECT_EQ(turned(2), "cba/fed");
  EXPECT_EQ(turned(3), "fed/cba");
  EXPECT_EQ(turned(4), "def/abc");
  EXPECT_EQ(turned(5), "ad/be/cf");
  EXPECT_EQ(turned(6), "da/eb/fc");
  EXPECT_EQ(turned(7), "fc/eb/da");
  EXPECT_EQ(turned(8), "cf/be/ad");
  EXPECT_EQ(turned(0), "abc/def");
}

}  // namespace
}  // namespace vl3::media
