// JPEG through libjpeg-turbo with its defaults (exact integer DCT, smooth chroma upsampling), which are
// Pillow's, too.
#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jerror.h>
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstring>

#include "core/check.h"
#include "core/log.h"
#include "media/orientation.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

constexpr int kMaxScans =
    500;  // a progressive file of a few bytes a scan can otherwise ask for hours of work

struct JpegReader {
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  explicit JpegReader(const StillRequest& request) {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = &JpegReader::on_error;
    errors.output_message = &JpegReader::on_message;
    errors.emit_message = &JpegReader::on_trace;
    jpeg.client_data = this;
    const bool created = guarded([&] {
      jpeg_create_decompress(&jpeg);
      jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xffff);
      jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(request.bytes.data()), request.bytes.size());
      jpeg.src->fill_input_buffer = &JpegReader::on_end_of_data;
      progress.progress_monitor = &JpegReader::on_progress;
      jpeg.progress = &progress;
    });
    if (!created) {
      jpeg_destroy_decompress(&jpeg);
      VL3_FAIL(kResourceExhausted, "{}: no JPEG decoder: {}", request.name, message.data());
    }
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }

  // libjpeg leaves through longjmp: `body` must own nothing that needs a destructor. False: see `message`.
  template <typename Body>
  bool guarded(Body body) {
    if (setjmp(jump) != 0) return false;
    body();
    return true;
  }

  static JpegReader& of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  [[noreturn]] static void leave(j_common_ptr info, const char* text) {
    JpegReader& self = of(info);
    std::strncpy(self.message.data(), text, self.message.size() - 1);
    longjmp(self.jump, 1);
  }
  [[noreturn]] static void on_error(j_common_ptr info) {
    std::array<char, JMSG_LENGTH_MAX> text{};
    info->err->format_message(info, text.data());
    leave(info, text.data());
  }
  static void on_message(j_common_ptr) {}
  // Damage inside the data is a warning to libjpeg; Pillow goes on silently, and so do we.
  static void on_trace(j_common_ptr info, int level) {
    if (level < 0) ++of(info).damages;
  }
  static boolean on_end_of_data(j_decompress_ptr info) {
    leave(reinterpret_cast<j_common_ptr>(info), "the file ends early");
  }
  static void on_progress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans)
      leave(info, "too many scans");
  }

  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int64_t damages = 0;
};

int find_orientation(const jpeg_decompress_struct& jpeg) {
  std::string exif;
  std::string xmp;
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  for (const jpeg_marker_struct* marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) exif += exif.empty() ? data : data.substr(kExif.size());
    if (data.starts_with(kXmp)) xmp = data.substr(kXmp.size());
  }
  int orientation = exif_orientation(exif);
  if (orientation == 0) orientation = xmp_orientation(xmp);
  return orientation == 0 ? 1 : orientation;
}

}  // namespace

Still decode_jpeg(const StillRequest& request) {
  JpegReader reader(request);
  jpeg_decompress_struct& jpeg = reader.jpeg;
  const auto fail = [&] {
    const bool variant = reader.errors.msg_code == JERR_BAD_PRECISION ||
                         reader.errors.msg_code == JERR_SOF_UNSUPPORTED ||
                         reader.errors.msg_code == JERR_CONVERSION_NOTIMPL;
    if (variant) VL3_FAIL(kUnsupported, "{}: JPEG variant not read: {}", request.name, reader.message.data());
    VL3_FAIL(kCorrupt, "{}: broken JPEG: {}", request.name, reader.message.data());
  };
  if (!reader.guarded([&] { jpeg_read_header(&jpeg, TRUE); })) fail();
  Still still;
  if (request.flow == Flow::kNative) still.orientation = find_orientation(jpeg);
  set_size(still, jpeg.image_width, jpeg.image_height, request);
  if (request.header_only) return still;

  const int channels = jpeg.num_components;
  VL3_CHECK(channels == 1 || channels == 3 || channels == 4, kUnsupported, "{}: JPEG of {} components",
            request.name, channels);
  jpeg.out_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  const size_t width = jpeg.image_width;
  std::vector<uint8_t> row(width * 4);
  if (!reader.guarded([&] {
        jpeg_start_decompress(&jpeg);
        while (jpeg.output_scanline < jpeg.output_height) {
          uint8_t* out = still.rgb.data() + width * 3 * jpeg.output_scanline;
          JSAMPROW target = channels == 3 ? out : row.data();
          if (jpeg_read_scanlines(&jpeg, &target, 1) != 1) continue;
          for (size_t x = 0; channels == 1 && x < width; ++x) std::memset(out + 3 * x, row[x], 3);
          for (size_t x = 0; channels == 4 && x < width; ++x) {
            // Pillow takes every CMYK JPEG for one of Adobe's, which store the inks inverted.
            const std::array<uint8_t, 4> ink = {
                static_cast<uint8_t>(~row[4 * x]), static_cast<uint8_t>(~row[4 * x + 1]),
                static_cast<uint8_t>(~row[4 * x + 2]), static_cast<uint8_t>(~row[4 * x + 3])};
            cmyk_to_rgb(ink.data(), out + 3 * x);
          }
        }
        jpeg_finish_decompress(&jpeg);
      })) {
    fail();
  }
  if (reader.damages > 0) logger().debug("{}: libjpeg met {} damaged places", request.name, reader.damages);
  return still;
}

}  // namespace vl3::media
