// PNG through libpng. Rows come as stored (palette indices, 16-bit samples), and the step to RGB is ours,
// since Pillow's rules differ from libpng's transforms: 16-bit grey is clipped, 16-bit colour loses its low
// byte, alpha is dropped.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>

#include "core/check.h"
#include "core/log.h"
#include "media/orientation.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

struct PngReader {
  explicit PngReader(const StillRequest& request) : bytes(request.bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::on_error, &PngReader::on_warning);
    if (png != nullptr) info = png_create_info_struct(png);
    VL3_CHECK(info != nullptr, kResourceExhausted, "{}: no memory for a PNG decoder", request.name);
    png_set_read_fn(png, this, &PngReader::on_read);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // set_size() checks the product
    png_set_chunk_malloc_max(png, 64u << 20);          // metadata
    png_set_chunk_cache_max(png, 1000);
    png_set_benign_errors(png, 1);
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // libpng leaves through longjmp: `body` must own nothing that needs a destructor. False: see `message`.
  template <typename Body>
  bool guarded(Body body) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    body();
    return true;
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message.data(), text, self->message.size() - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp text) { logger().debug("libpng: {}", text); }
  static void on_read(png_structp png, png_bytep out, size_t size) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > self->bytes.size() - self->at) png_error(png, "the file ends early");
    std::memcpy(out, self->bytes.data() + self->at, size);
    self->at += size;
  }

  std::string_view bytes;
  size_t at = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::array<char, 120> message{};
};

struct Layout {
  png_uint_32 width = 0, height = 0;
  int depth = 0, color = 0, interlace = 0;
};

// One stored row to RGB.
class RowToRgb {
 public:
  RowToRgb(PngReader& reader, const Layout& layout) : layout_(layout) {
    png_colorp entries = nullptr;
    int count = 0;
    if (layout.color == PNG_COLOR_TYPE_PALETTE) png_get_PLTE(reader.png, reader.info, &entries, &count);
    for (int i = 0; i < count && i < 256; ++i) {
      palette_[static_cast<size_t>(i)] = {entries[i].red, entries[i].green, entries[i].blue};
    }
  }

  void operator()(const uint8_t* row, uint8_t* out) const {
    const bool wide = layout_.depth == 16;
    const size_t sample = wide ? 2 : 1;
    switch (layout_.color) {
      case PNG_COLOR_TYPE_PALETTE:
        for (size_t x = 0; x < layout_.width; ++x) std::memcpy(out + 3 * x, palette_[row[x]].data(), 3);
        return;
      case PNG_COLOR_TYPE_GRAY:
        for (size_t x = 0; x < layout_.width; ++x) {
          std::memset(out + 3 * x, wide ? clip_grey(row[2 * x] << 8 | row[2 * x + 1]) : row[x], 3);
        }
        return;
      case PNG_COLOR_TYPE_GRAY_ALPHA:
        for (size_t x = 0; x < layout_.width; ++x) std::memset(out + 3 * x, row[2 * sample * x], 3);
        return;
      default: {
        const size_t channels = layout_.color == PNG_COLOR_TYPE_RGB ? 3 : 4;
        for (size_t x = 0; x < layout_.width; ++x) {
          for (size_t c = 0; c < 3; ++c) out[3 * x + c] = row[(channels * x + c) * sample];
        }
      }
    }
  }

 private:
  Layout layout_;
  std::array<std::array<uint8_t, 3>, 256> palette_{};
};

// Metadata may stand behind the pixels; what is broken there does not matter.
int find_orientation(PngReader& reader) {
  reader.guarded([&] { png_read_end(reader.png, reader.info); });
  int orientation = 0;
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0) {
    orientation = exif_orientation({reinterpret_cast<const char*>(exif), size});
  }
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &texts, &count);
  for (int i = 0; i < count && orientation == 0; ++i) {
    const size_t length =
        texts[i].compression >= PNG_ITXT_COMPRESSION_NONE ? texts[i].itxt_length : texts[i].text_length;
    if (std::strcmp(texts[i].key, "XML:com.adobe.xmp") == 0)
      orientation = xmp_orientation({texts[i].text, length});
  }
  return orientation == 0 ? 1 : orientation;
}

}  // namespace

Still decode_png(const StillRequest& request) {
  PngReader reader(request);
  Layout layout;
  const auto fail = [&] { VL3_FAIL(kCorrupt, "{}: broken PNG: {}", request.name, reader.message.data()); };
  if (!reader.guarded([&] {
        png_read_info(reader.png, reader.info);
        png_get_IHDR(reader.png, reader.info, &layout.width, &layout.height, &layout.depth, &layout.color,
                     &layout.interlace, nullptr, nullptr);
      })) {
    fail();
  }
  Still still;
  set_size(still, layout.width, layout.height, request);
  if (!request.header_only) {
    if (!reader.guarded([&] {
          png_set_packing(reader.png);  // palette indices below 8 bits: one a byte
          if (layout.color == PNG_COLOR_TYPE_GRAY && layout.depth < 8)
            png_set_expand_gray_1_2_4_to_8(reader.png);
          png_set_interlace_handling(reader.png);
          png_read_update_info(reader.png, reader.info);  // takes memory for rows: after set_size()
        })) {
      fail();
    }
    // An interlaced picture is refined pass by pass, so all its rows stay; otherwise one row is enough.
    const bool interlaced = layout.interlace != PNG_INTERLACE_NONE;
    const size_t stride = png_get_rowbytes(reader.png, reader.info);
    std::vector<uint8_t> rows(stride * (interlaced ? layout.height : 1));
    const RowToRgb to_rgb(reader, layout);
    if (!reader.guarded([&] {
          const int passes = interlaced ? 7 : 1;
          for (int pass = 0; pass < passes; ++pass) {
            for (png_uint_32 y = 0; y < layout.height; ++y) {
              uint8_t* row = rows.data() + (interlaced ? stride * y : 0);
              png_read_row(reader.png, row, nullptr);
              if (pass == passes - 1) to_rgb(row, still.rgb.data() + size_t{3} * layout.width * y);
            }
          }
        })) {
      fail();
    }
  }
  if (request.flow == Flow::kNative) still.orientation = find_orientation(reader);
  return still;
}

}  // namespace vl3::media
