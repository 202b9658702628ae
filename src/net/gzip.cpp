#include "net/gzip.h"

#include <array>

#include "core/check.h"
#include "net/fetch.h"

namespace vl3::net {

GzipDecoder::GzipDecoder() {
  constexpr int kDetectGzipOrZlib = 15 + 32;  // window bits, see zlib.h
  VL3_CHECK(inflateInit2(&stream_, kDetectGzipOrZlib) == Z_OK, kInternal, "zlib cannot start");
}

GzipDecoder::~GzipDecoder() { inflateEnd(&stream_); }

void GzipDecoder::append(std::string_view piece, const std::function<void(std::string_view)>& sink) {
  std::array<char, 65536> out;
  // zlib does not write through next_in; its type only predates const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream_.avail_in = static_cast<uInt>(piece.size());
  while (!ended_) {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = out.size();
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw FetchError(ErrorCode::kCorrupt, "the reply's gzip data is broken", 0, false);
    }
    const size_t made = out.size() - stream_.avail_out;
    if (made > 0) sink({out.data(), made});
    ended_ = status == Z_STREAM_END;
    if (stream_.avail_out != 0) break;  // all input used and all output given
  }
}

void GzipDecoder::finish() const {
  if (!ended_) throw FetchError(ErrorCode::kCorrupt, "the reply's gzip data ends early", 0, true);
}

}  // namespace vl3::net
