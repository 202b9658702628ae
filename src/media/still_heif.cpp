// HEIC and AVIF through libheif. HEIC: as pillow-heif gives it, the container's rotation applied in both
// flows (it is part of the picture there; EXIF is to be ignored). AVIF: as Pillow's own reader, which turns
// the container's rotation into an EXIF orientation in place of any other, so it holds in the native flow
// only.
#include <libheif/heif.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/check.h"
#include "media/orientation.h"
#include "media/sniff.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using ContextPtr = std::unique_ptr<heif_context, Deleter<&heif_context_free>>;
using HandlePtr = std::unique_ptr<const heif_image_handle, Deleter<&heif_image_handle_release>>;
using ImagePtr = std::unique_ptr<const heif_image, Deleter<&heif_image_release>>;
using OptionsPtr = std::unique_ptr<heif_decoding_options, Deleter<&heif_decoding_options_free>>;

void check(const heif_error& error, const StillRequest& request) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Memory_allocation_error) {
    VL3_FAIL(kResourceExhausted, "{}: HEIF: {}", request.name, error.message);
  }
  if (error.code == heif_error_Unsupported_feature || error.code == heif_error_Unsupported_filetype ||
      error.code == heif_error_Plugin_loading_error) {
    VL3_FAIL(kUnsupported, "{}: HEIF: {}", request.name, error.message);
  }
  VL3_FAIL(kCorrupt, "{}: broken HEIF: {}", request.name, error.message);
}

// The turn that an AVIF's irot and imir boxes ask for, as an EXIF orientation: 1 without any, 0 where they
// are not one of each. libheif 1.15 applies them, but does not tell. Source: libavif's mapping.
int container_orientation(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 1 << 16);
  const auto find = [&](std::string_view box) -> int {  // the payload; -1 none, -2 several
    const size_t at = head.find(box);
    if (at == std::string_view::npos || at + 5 > head.size()) return -1;
    return head.find(box, at + 1) == std::string_view::npos ? static_cast<unsigned char>(head[at + 4]) : -2;
  };
  const int turn = find("irot");
  const int mirror = find("imir");
  if (turn == -2 || mirror == -2 || find("clap") != -1) return 0;
  constexpr int kTable[4][3] = {
      {1, 4, 2}, {8, 5, 7}, {3, 2, 4}, {6, 7, 5}};  // [quarter turns left][no mirror, axis 0, 1]
  return kTable[turn < 0 ? 0 : turn & 3][mirror < 0 ? 0 : 1 + (mirror & 1)];
}

}  // namespace

Still decode_heif(const StillRequest& request) {
  const bool avif = sniff_still(request.bytes.substr(0, 1024)) == StillFormat::kAvif;
  const ContextPtr context(heif_context_alloc());
  VL3_CHECK(context != nullptr, kResourceExhausted, "{}: no memory for a HEIF decoder", request.name);
  heif_context_set_maximum_image_size_limit(context.get(), 65535);  // a side; set_size() checks the product
  check(heif_context_read_from_memory_without_copy(context.get(), request.bytes.data(), request.bytes.size(),
                                                   nullptr),
        request);
  heif_image_handle* raw_handle = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &raw_handle), request);
  const HandlePtr handle(raw_handle);

  const bool turned = !avif || request.flow == Flow::kNative;
  const int width =
      turned ? heif_image_handle_get_width(raw_handle) : heif_image_handle_get_ispe_width(raw_handle);
  const int height =
      turned ? heif_image_handle_get_height(raw_handle) : heif_image_handle_get_ispe_height(raw_handle);
  Still still;
  set_size(still, width, height, request);
  if (request.header_only) return still;
  if (avif) {
    const int orientation = turned ? container_orientation(request.bytes) : 1;
    const bool swaps = orientation_swaps_sides(orientation);
    Still plain;
    plain.width = swaps ? height : width;
    plain.height = swaps ? width : height;
    plain.rgb = std::move(still.rgb);
    if (orientation != 0 && decode_plain_avif(request, plain)) {
      apply_orientation(orientation, plain.height, plain.width, plain.rgb);
      return plain;
    }
    still.rgb = std::move(plain.rgb);
  }

  // What is decoded may claim other sizes than the header did; tiles may stand over the picture's edge.
  constexpr int kMaxTileSide = 4096;
  heif_context_set_maximum_image_size_limit(context.get(), std::max({width, height, kMaxTileSide}));
  const OptionsPtr options(heif_decoding_options_alloc());
  options->ignore_transformations = turned ? 0 : 1;
  options->convert_hdr_to_8bit = 1;
  heif_image* raw_image = nullptr;
  check(heif_decode_image(raw_handle, &raw_image, heif_colorspace_RGB, heif_chroma_interleaved_RGB,
                          options.get()),
        request);
  const ImagePtr image(raw_image);
  int stride = 0;
  const uint8_t* plane = heif_image_get_plane_readonly(raw_image, heif_channel_interleaved, &stride);
  const int got_width = heif_image_get_width(raw_image, heif_channel_interleaved);
  const int got_height = heif_image_get_height(raw_image, heif_channel_interleaved);
  VL3_CHECK(plane != nullptr && got_width == width && got_height == height, kCorrupt,
            "{}: HEIF says {} x {} and decodes to {} x {}", request.name, width, height, got_width,
            got_height);
  const size_t row = static_cast<size_t>(width) * 3;
  for (int y = 0; y < height; ++y) {
    std::memcpy(still.rgb.data() + row * static_cast<size_t>(y),
                plane + static_cast<size_t>(stride) * static_cast<size_t>(y), row);
  }
  return still;
}

}  // namespace vl3::media
