// TIFF through libtiff: strips and tiles are decompressed there, samples become RGB here by Pillow's rules
// (16-bit colour loses its low byte, deeper grey is clipped, CMYK without a profile). The orientation tag
// holds in both flows, as Pillow applies it while loading.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/check.h"
#include "core/log.h"
#include "media/orientation.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

constexpr int kMaxSamples = 6;  // a pixel; Pillow's limit

// What libtiff reads from and complains to.
struct Memory {
  std::string_view bytes;
  toff_t at = 0;
  std::array<char, 160> message{};

  static tmsize_t read(thandle_t handle, void* out, tmsize_t size) {
    auto* self = static_cast<Memory*>(handle);
    const size_t left = self->at < self->bytes.size() ? self->bytes.size() - self->at : 0;
    const size_t count = std::min(left, static_cast<size_t>(size));
    std::memcpy(out, self->bytes.data() + std::min<size_t>(self->at, self->bytes.size()), count);
    self->at += count;
    return static_cast<tmsize_t>(count);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    auto* self = static_cast<Memory*>(handle);
    self->at = whence == SEEK_SET   ? offset
               : whence == SEEK_CUR ? self->at + offset
                                    : self->bytes.size() + offset;
    return self->at;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return static_cast<Memory*>(handle)->bytes.size(); }
  static int map(thandle_t, void**, toff_t*) { return 0; }
  static void unmap(thandle_t, void*, toff_t) {}
  static int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    auto* self = static_cast<Memory*>(user);
    if (self->message[0] == '\0') vsnprintf(self->message.data(), self->message.size(), format, arguments);
    return 1;
  }
  static int on_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }
};

struct TiffDeleter {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using TiffPtr = std::unique_ptr<TIFF, TiffDeleter>;

TiffPtr open_tiff(Memory& memory, tmsize_t max_allocation) {
  const std::unique_ptr<TIFFOpenOptions, TiffDeleter> options(TIFFOpenOptionsAlloc());
  if (options == nullptr) return nullptr;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), max_allocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &Memory::on_error, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &Memory::on_warning, &memory);
  return TiffPtr(TIFFClientOpenExt("memory", "rm", &memory, &Memory::read, &Memory::write, &Memory::seek,
                                   &Memory::close, &Memory::size, &Memory::map, &Memory::unmap,
                                   options.get()));
}

struct Layout {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISWHITE;
  uint16_t planar = PLANARCONFIG_CONTIG, compression = COMPRESSION_NONE, orientation = 0;  // 0: no tag
  bool premultiplied = false;
  std::array<std::array<uint8_t, 3>, 256> palette{};
};

Layout read_layout(TIFF* tiff, const StillRequest& request) {
  Layout t;
  VL3_CHECK(TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &t.width) == 1 &&
                TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &t.height) == 1,
            kCorrupt, "{}: TIFF without a size", request.name);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &t.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &t.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &t.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &t.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &t.compression);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &t.photometric);
  TIFFGetField(tiff, TIFFTAG_ORIENTATION, &t.orientation);
  uint16_t extra_count = 0;
  uint16_t* extra = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
  t.premultiplied = extra_count > 0 && extra[0] == EXTRASAMPLE_ASSOCALPHA && t.photometric == PHOTOMETRIC_RGB;
  VL3_CHECK(t.samples >= 1 && t.samples <= kMaxSamples, kUnsupported, "{}: TIFF of {} samples a pixel",
            request.name, t.samples);
  if (t.photometric == PHOTOMETRIC_PALETTE) {
    std::array<uint16_t*, 3> maps{};
    VL3_CHECK(t.bits <= 8 && TIFFGetField(tiff, TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) == 1,
              kCorrupt, "{}: palette TIFF of {} bits without a usable colour map", request.name, t.bits);
    for (size_t i = 0; i < size_t{1} << t.bits; ++i) {
      for (size_t c = 0; c < 3; ++c) t.palette[i][c] = static_cast<uint8_t>(maps[c][i] >> 8);
    }
  }
  return t;
}

// Sample number `index` of a row; signed and float values come as they are to be clipped.
int64_t sample_at(const uint8_t* row, size_t index, const Layout& t) {
  switch (t.bits) {
    case 8:
      return row[index];
    case 12: {
      const uint8_t* pair = row + index / 2 * 3;
      return index % 2 == 0 ? pair[0] << 4 | pair[1] >> 4 : (pair[1] & 15) << 8 | pair[2];
    }
    case 16: {
      uint16_t value = 0;
      std::memcpy(&value, row + 2 * index, 2);
      return t.format == SAMPLEFORMAT_INT ? static_cast<int16_t>(value) : value;
    }
    case 32: {
      if (t.format == SAMPLEFORMAT_IEEEFP) {
        float value = 0;
        std::memcpy(&value, row + 4 * index, 4);
        return value >= 255 ? 255 : value > 0 ? static_cast<int64_t>(value) : 0;
      }
      int32_t value = 0;  // Pillow keeps unsigned 32-bit samples in a signed type, too
      std::memcpy(&value, row + 4 * index, 4);
      return value;
    }
    default: {  // 1, 2, 4
      const size_t bit = index * t.bits;
      return row[bit / 8] >> (8 - t.bits - bit % 8) & ((1 << t.bits) - 1);
    }
  }
}

void check_supported(const Layout& t, const StillRequest& request) {
  const bool grey = t.photometric == PHOTOMETRIC_MINISBLACK || t.photometric == PHOTOMETRIC_MINISWHITE;
  const bool whole = t.format == SAMPLEFORMAT_UINT || t.format == SAMPLEFORMAT_VOID;
  const bool small = t.bits == 1 || t.bits == 2 || t.bits == 4 || t.bits == 8;
  bool known = false;
  if (grey) {
    known = small || (t.bits == 12 && whole) || (t.bits == 16 && t.format != SAMPLEFORMAT_IEEEFP) ||
            (t.bits == 32 && t.format <= SAMPLEFORMAT_IEEEFP);
  } else if (t.photometric == PHOTOMETRIC_PALETTE) {
    known = small;
  } else if (t.photometric == PHOTOMETRIC_RGB) {
    known = (t.bits == 8 || t.bits == 16) && whole && t.samples >= 3;
  } else if (t.photometric == PHOTOMETRIC_SEPARATED) {
    known = (t.bits == 8 || t.bits == 16) && whole && t.samples >= 4;
  } else if (t.photometric == PHOTOMETRIC_YCBCR) {
    known = t.bits == 8;
  }
  VL3_CHECK(known, kUnsupported, "{}: TIFF of photometric {}, {} x {} bits, sample format {}", request.name,
            t.photometric, t.samples, t.bits, t.format);
}

// One pixel; `samples` are whole values as sample_at() gives them.
void to_rgb(const std::array<int64_t, kMaxSamples>& samples, const Layout& t, uint8_t* out) {
  const int shift = t.bits == 16 ? 8 : 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(samples[i] >> shift); };
  switch (t.photometric) {
    case PHOTOMETRIC_PALETTE:
      std::memcpy(out, t.palette[static_cast<size_t>(samples[0])].data(), 3);
      return;
    case PHOTOMETRIC_SEPARATED: {
      const std::array<uint8_t, 4> ink = {byte(0), byte(1), byte(2), byte(3)};
      cmyk_to_rgb(ink.data(), out);
      return;
    }
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR: {  // by now RGB, converted by libtiff
      const int alpha = t.premultiplied ? byte(3) : 255;
      for (size_t c = 0; c < 3; ++c) {
        out[c] = alpha == 255 ? byte(c) : alpha == 0 ? uint8_t{0} : clip_grey(byte(c) * 255 / alpha);
      }
      return;
    }
    default: {
      int64_t value = samples[0];
      if (t.bits < 8) value = value * 255 / ((1 << t.bits) - 1);
      if (t.bits <= 8 && t.photometric == PHOTOMETRIC_MINISWHITE) value = 255 - value;
      std::memset(out, clip_grey(value), 3);
    }
  }
}

// Strips and tiles alike: blocks of block_width x block_height, one buffer a plane.
bool read_blocks(TIFF* tiff, const Layout& t, Still& still, size_t max_block_bytes) {
  const bool tiled = TIFFIsTiled(tiff) != 0;
  uint32_t block_width = t.width;
  uint32_t block_height = t.height;
  if (tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block_height);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &block_height);
    block_height = std::min(block_height, t.height);
  }
  const bool separate = t.planar == PLANARCONFIG_SEPARATE;
  const size_t planes = separate ? t.samples : 1;
  const auto row_bytes = static_cast<size_t>(tiled ? TIFFTileRowSize64(tiff) : TIFFScanlineSize64(tiff));
  const auto block_bytes = static_cast<size_t>(tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff));
  const size_t samples_here = separate ? 1 : t.samples;
  if (block_width == 0 || block_height == 0 || block_bytes == 0 || block_bytes > max_block_bytes)
    return false;
  if (row_bytes < (size_t{block_width} * samples_here * t.bits + 7) / 8 ||
      row_bytes > block_bytes / block_height)
    return false;
  std::vector<std::vector<uint8_t>> buffers(planes, std::vector<uint8_t>(block_bytes));
  std::array<int64_t, kMaxSamples> samples{};
  for (uint32_t top = 0; top < t.height; top += block_height) {
    const uint32_t rows = std::min(block_height, t.height - top);
    for (uint32_t left = 0; left < t.width; left += block_width) {
      const uint32_t columns = std::min(block_width, t.width - left);
      for (size_t plane = 0; plane < planes; ++plane) {
        const auto sample = static_cast<uint16_t>(plane);
        const auto size = static_cast<tmsize_t>(tiled ? block_bytes : row_bytes * rows);
        const tmsize_t got = tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, left, top, 0, sample),
                                                         buffers[plane].data(), size)
                                   : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, top, sample),
                                                          buffers[plane].data(), size);
        if (got < size) return false;
      }
      for (uint32_t y = 0; y < rows; ++y) {
        uint8_t* out = &still.rgb[(size_t{top + y} * t.width + left) * 3];
        for (size_t x = 0; x < columns; ++x, out += 3) {
          for (size_t s = 0; s < t.samples; ++s) {
            const uint8_t* row = buffers[separate ? s : 0].data() + y * row_bytes;
            samples[s] = sample_at(row, separate ? x : x * t.samples + s, t);
          }
          to_rgb(samples, t, out);
        }
      }
    }
  }
  return true;
}

// Colour-difference samples that are not inside JPEG: libtiff's own conversion, as in Pillow.
bool read_ycbcr(TIFF* tiff, const Layout& t, Still& still) {
  std::vector<uint32_t> raster(size_t{t.width} * t.height);
  // Asked for the orientation it has, libtiff leaves the rows as they are stored.
  const int stored = t.orientation == 0 ? ORIENTATION_TOPLEFT : t.orientation;
  if (TIFFReadRGBAImageOriented(tiff, t.width, t.height, raster.data(), stored, 1) == 0) return false;
  for (size_t i = 0; i < raster.size(); ++i) {
    still.rgb[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    still.rgb[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    still.rgb[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  return true;
}

}  // namespace

Still decode_tiff(const StillRequest& request) {
  Memory memory{.bytes = request.bytes};
  // Whole pictures may be one strip of up to six 16-bit samples.
  const int64_t max_block = request.max_pixels * kMaxSamples * 2 + (int64_t{16} << 20);
  const TiffPtr tiff = open_tiff(memory, static_cast<tmsize_t>(max_block));
  VL3_CHECK(tiff != nullptr, kCorrupt, "{}: broken TIFF: {}", request.name, memory.message.data());
  const Layout t = read_layout(tiff.get(), request);
  Still still;
  set_size(still, t.width, t.height, request);
  check_supported(t, request);
  const bool ycbcr = t.photometric == PHOTOMETRIC_YCBCR && t.samples >= 3;
  const bool jpeg = t.compression == COMPRESSION_JPEG && t.planar == PLANARCONFIG_CONTIG;
  if (!request.header_only) {
    if (ycbcr && jpeg) TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    const bool done = ycbcr && !jpeg ? read_ycbcr(tiff.get(), t, still)
                                     : read_blocks(tiff.get(), t, still, static_cast<size_t>(max_block));
    VL3_CHECK(done, kCorrupt, "{}: broken TIFF, or cut off: {}", request.name, memory.message.data());
  }
  int orientation = t.orientation;
  uint32_t xmp_size = 0;
  const char* xmp = nullptr;
  if (orientation == 0 && TIFFGetField(tiff.get(), TIFFTAG_XMLPACKET, &xmp_size, &xmp) == 1) {
    orientation = xmp_orientation({xmp, xmp_size});
  }
  apply_orientation(orientation, still.height, still.width, still.rgb);
  return still;
}

}  // namespace vl3::media
