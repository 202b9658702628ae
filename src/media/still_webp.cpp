// WebP through libwebp's animation decoder, as Pillow does: stills and the first frame of animations alike.
// The canvas starts transparent black; alpha is dropped afterwards.
#include <webp/demux.h>

#include <memory>

#include "core/check.h"
#include "media/orientation.h"
#include "media/still_codecs.h"

namespace vl3::media {
namespace {

template <auto Delete>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Delete(pointer);
  }
};
using DemuxerPtr = std::unique_ptr<WebPDemuxer, Deleter<&WebPDemuxDelete>>;
using AnimationPtr = std::unique_ptr<WebPAnimDecoder, Deleter<&WebPAnimDecoderDelete>>;

std::string chunk(const WebPDemuxer* demuxer, const char* kind) {
  WebPChunkIterator it;
  std::string content;
  if (WebPDemuxGetChunk(demuxer, kind, 1, &it) != 0) {
    content.assign(reinterpret_cast<const char*>(it.chunk.bytes), it.chunk.size);
    WebPDemuxReleaseChunkIterator(&it);
  }
  return content;
}

}  // namespace

Still decode_webp(const StillRequest& request) {
  const WebPData data{reinterpret_cast<const uint8_t*>(request.bytes.data()), request.bytes.size()};
  const DemuxerPtr demuxer(WebPDemux(&data));
  VL3_CHECK(demuxer != nullptr, kCorrupt, "{}: broken WebP, or cut off", request.name);
  Still still;
  set_size(still, WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH),
           WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT), request);
  if (request.flow == Flow::kNative) {
    int orientation = exif_orientation(chunk(demuxer.get(), "EXIF"));
    if (orientation == 0) orientation = xmp_orientation(chunk(demuxer.get(), "XMP "));
    if (orientation != 0) still.orientation = orientation;
  }
  if (request.header_only) return still;

  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  const AnimationPtr animation(WebPAnimDecoderNew(&data, &options));
  uint8_t* canvas = nullptr;
  int timestamp_ms = 0;
  VL3_CHECK(animation != nullptr && WebPAnimDecoderGetNext(animation.get(), &canvas, &timestamp_ms) != 0,
            kCorrupt, "{}: broken WebP", request.name);
  for (size_t i = 0; i < still.rgb.size() / 3; ++i) {
    for (size_t c = 0; c < 3; ++c) still.rgb[3 * i + c] = canvas[4 * i + c];
  }
  return still;
}

}  // namespace vl3::media
