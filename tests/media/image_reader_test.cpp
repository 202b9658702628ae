#include "media/image_reader.h"

#include <gtest/gtest.h>
#include <tiffio.h>

#include "core/json.h"
#include "media/media_tools.h"

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;
using test::as_bytes;
using test::error_of;
using test::golden_dir;
using test::make_bmp;
using test::make_gif;
using test::make_png;
using test::TempDir;

Frame read(const std::string& bytes, Flow flow = Flow::kRemote) {
  return read_image(media_from_bytes(bytes, "m"), flow);
}

// Every odd file of the golden set, in both flows: to the byte. The expected pictures are plain RGB PNGs.
TEST(GoldenStills, EqualPillow) {
  const std::filesystem::path table = golden_dir() / "tables/decode.json";
  if (!std::filesystem::exists(table)) GTEST_SKIP() << "no tables/decode.json in " << golden_dir();
  const Json files = read_json_file(table);
  for (const auto& [name, entry] : files.items()) {
    const std::filesystem::path path = golden_dir() / "media" / name;
    ASSERT_TRUE(std::filesystem::exists(path)) << "decode.json lists " << path;
    for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
      const std::string key =
          flow == Flow::kNative && entry.contains("native_png") ? "native_png" : "remote_png";
      const std::filesystem::path expected_path = golden_dir() / "media" / entry.at(key).get<std::string>();
      ASSERT_TRUE(std::filesystem::exists(expected_path)) << "decode.json lists " << expected_path;
      const Frame got = read_image(open_media(path.string()), flow);
      const Frame expected = read_image(open_media(expected_path.string()), Flow::kRemote);
      const Json& size = entry.at(flow == Flow::kNative ? "native_hw" : "remote_hw");
      EXPECT_EQ(got.height, size.at(0).get<int>()) << name;
      EXPECT_EQ(got.width, size.at(1).get<int>()) << name;
      EXPECT_EQ(got.rgb, expected.rgb) << name << " " << flow_name(flow);
      const ImageSize header = read_image_size(open_media(path.string()), flow);
      EXPECT_EQ(header.height, got.height) << name;
      EXPECT_EQ(header.width, got.width) << name;
    }
  }
}

TEST(ImageReader, SixteenBitGreyIsClippedAndColourIsCut) {
  EXPECT_EQ(as_bytes(read(make_png(3, 1, 16, 0,
                                   "\0"
                                   "\0\x07"
                                   "\0\xff"
                                   "\x01\0"s))),
            "\7\7\7\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(as_bytes(read(make_png(1, 1, 16, 2,
                                   "\0"
                                   "\x12\x34\x56\x78\x9a\xbc"s))),
            "\x12\x56\x9a");
}

TEST(ImageReader, AlphaIsDropped) {
  EXPECT_EQ(as_bytes(read(make_png(2, 1, 8, 6,
                                   "\0"
                                   "\x01\x02\x03\0"
                                   "\x04\x05\x06\xff"s))),
            "\1\2\3\4\5\6");
  EXPECT_EQ(as_bytes(read(make_png(1, 1, 16, 4,
                                   "\0"
                                   "\x12\x34\0\0"s))),
            "\x12\x12\x12");
}

TEST(ImageReader, GifGivesItsFirstFrame) { EXPECT_EQ(as_bytes(read(make_gif(3))), std::string(6, '\0')); }

TEST(ImageReader, GifKeepsTheTransparentColour) {
  // Index 1 (red) is transparent; the picture covers one of the two pixels.
  const std::string gif = "GIF89a\x02\0\x01\0\x81\0\0"s + "\0\0\0\xff\0\0\0\xff\0\0\0\xff"s +
                          "!\xf9\x04\x01\0\0\x01\0"s +
                          ",\0\0\0\0\x01\0\x01\0\0\x02\x02\x54\x01\0;"s;  // clear, 2, end
  EXPECT_EQ(as_bytes(read(gif)), "\0\xff\0\xff\0\0"s);
}

TEST(ImageReader, BmpExpandsFiveAndSixBits) {
  // 5-5-5: red 31, green 16, blue 1
  const uint16_t pixel = 31 << 10 | 16 << 5 | 1;
  const std::string row = {static_cast<char>(pixel & 255), static_cast<char>(pixel >> 8), 0, 0};
  EXPECT_EQ(as_bytes(read(make_bmp(1, 1, 16, 0, "", row))), "\xff\x83\x08");
  const std::string masks = "\0\xf8\0\0\xe0\x07\0\0\x1f\0\0\0"s;
  const uint16_t wide = 31 << 11 | 32 << 5 | 1;
  EXPECT_EQ(as_bytes(read(make_bmp(1, 1, 16, 3, masks,
                                   {static_cast<char>(wide & 255), static_cast<char>(wide >> 8), 0, 0}))),
            "\xff\x81\x08");
}

TEST(ImageReader, BmpRowsGoBothWays) {
  const std::string rows = "\x01\x02\x03\0\x04\x05\x06\0"s;
  EXPECT_EQ(as_bytes(read(make_bmp(1, 2, 24, 0, "", rows))), "\6\5\4\3\2\1");
  EXPECT_EQ(as_bytes(read(make_bmp(1, -2, 24, 0, "", rows))), "\3\2\1\6\5\4");
}

TEST(ImageReader, BmpRunsAreExpanded) {
  std::string palette(1024, '\0');
  palette.replace(4, 3, "\x0a\x0b\x0c");
  const std::string runs = "\x02\x01\0\0\0\x01"s;  // two of colour 1, end of line, end
  EXPECT_EQ(as_bytes(read(make_bmp(2, 1, 8, 1, palette, runs))), "\x0c\x0b\x0a\x0c\x0b\x0a");
}

std::filesystem::path make_tiff(const TempDir& dir, const std::string& name, uint16_t orientation,
                                uint16_t planar, bool tiled) {
  const std::filesystem::path path = dir / name;
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  VL3_CHECK(tiff != nullptr, kInternal, "TIFFOpen");
  const uint32_t width = 20;
  const uint32_t height = 17;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 3);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, planar);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, orientation);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
  const auto value = [](uint32_t x, uint32_t y, uint32_t c) {
    return static_cast<uint8_t>(x * 10 + y + c * 80);
  };
  const int planes = planar == PLANARCONFIG_SEPARATE ? 3 : 1;
  const uint32_t block = tiled ? 16 : 0;
  if (tiled) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, block);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, block);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 5);
  }
  std::vector<uint8_t> buffer;
  for (int plane = 0; plane < planes; ++plane) {
    const auto fill = [&](uint32_t left, uint32_t top, uint32_t columns, uint32_t rows) {
      buffer.clear();
      for (uint32_t y = top; y < top + rows; ++y) {
        for (uint32_t x = left; x < left + columns; ++x) {
          for (uint32_t c = 0; c < 3; ++c) {
            if (planes == 1 || static_cast<int>(c) == plane) buffer.push_back(value(x, y, c));
          }
        }
      }
    };
    if (tiled) {
      for (uint32_t y = 0; y < height; y += block) {
        for (uint32_t x = 0; x < width; x += block) {
          fill(x, y, block, block);
          TIFFWriteTile(tiff, buffer.data(), x, y, 0, static_cast<uint16_t>(plane));
        }
      }
    } else {
      for (uint32_t y = 0; y < height; ++y) {
        fill(0, y, width, 1);
        TIFFWriteScanline(tiff, buffer.data(), y, static_cast<uint16_t>(plane));
      }
    }
  }
  TIFFClose(tiff);
  return path;
}

TEST(ImageReader, TiffLayoutsAgree) {
  const TempDir dir;
  const Frame plain =
      read_image(open_media(make_tiff(dir, "a.tif", 1, PLANARCONFIG_CONTIG, false).string()), Flow::kRemote);
  ASSERT_EQ(plain.width, 20);
  EXPECT_EQ(plain.rgb[3 * (20 * 16 + 19) + 2], static_cast<uint8_t>(190 + 16 + 160));
  for (const bool tiled : {false, true}) {
    for (const uint16_t planar : {PLANARCONFIG_CONTIG, PLANARCONFIG_SEPARATE}) {
      const std::string path = make_tiff(dir, "b.tif", 1, planar, tiled).string();
      EXPECT_EQ(read_image(open_media(path), Flow::kRemote).rgb, plain.rgb) << tiled << planar;
    }
  }
}

// Pillow turns TIFFs while loading, so both flows do.
TEST(ImageReader, TiffOrientationHoldsInBothFlows) {
  const TempDir dir;
  const std::string path = make_tiff(dir, "a.tif", 6, PLANARCONFIG_CONTIG, false).string();
  for (const Flow flow : {Flow::kRemote, Flow::kNative}) {
    const Frame frame = read_image(open_media(path), flow);
    EXPECT_EQ(frame.width, 17);
    EXPECT_EQ(frame.height, 20);
    EXPECT_EQ(frame.rgb[0], 16);  // the lower left corner comes up left
    EXPECT_EQ(read_image_size(open_media(path), flow).width, 17);
  }
}

TEST(ImageReader, BombsAreRefusedByTheirHeader) {
  MediaLimits limits;
  const auto error = [&](const std::string& bytes) {
    return error_of([&] { read_image(media_from_bytes(bytes, "bomb"), Flow::kRemote, limits); });
  };
  EXPECT_NE(error(make_png(100000, 100000, 8, 2, "")).find("limit reached: bomb: 100000 x 100000 pixels"),
            std::string::npos);
  EXPECT_NE(error(make_bmp(2000000000, 2000000000, 24, 0, "", "x")).find("limit reached"), std::string::npos);
  const std::string gif = "GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02"s;
  EXPECT_NE(error(gif).find("limit reached"), std::string::npos);
  limits.max_pixels = 8;
  EXPECT_NE(error(make_png(3, 3, 8, 0, "")).find("the limit is 8"), std::string::npos);
  EXPECT_EQ(error(make_png(2, 4, 8, 0, std::string(12, '\0'))), "");
}

TEST(ImageReader, OtherFormatsAreNamed) {
  EXPECT_NE(error_of([] { read("%PDF-1.7"); }).find("unsupported: m: PDF"), std::string::npos);
  EXPECT_NE(error_of([] { read("random bytes"); }).find("not a picture by its first bytes"),
            std::string::npos);
  EXPECT_NE(error_of([] { read(""); }).find("corrupt: m: is empty"), std::string::npos);
  EXPECT_NE(error_of([] { read(make_gif(0)); }).find("GIF without an image"), std::string::npos);
}

}  // namespace
}  // namespace vl3::media
