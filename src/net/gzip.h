// Undoing Content-Encoding gzip or deflate piece by piece, so that a small body cannot grow without notice.
#pragma once

#include <zlib.h>

#include <functional>
#include <string_view>

namespace vl3::net {

class GzipDecoder {
 public:
  GzipDecoder();
  ~GzipDecoder();
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  /// Decodes the next piece; `sink` gets at most 64 KiB at a time and may throw to stop.
  /// @throws FetchError(kCorrupt) for broken data.
  void append(std::string_view piece, const std::function<void(std::string_view)>& sink);

  /// @throws FetchError(kCorrupt, retryable) when the stream has not come to its end.
  void finish() const;

 private:
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace vl3::net
