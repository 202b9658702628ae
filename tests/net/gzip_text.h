// Packs a text as gzip, for tests of what undoes it.
#pragma once

#include <zlib.h>

#include <string>

#include "core/check.h"

namespace vl3::test {

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;  // window bits, see zlib.h
  VL3_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) == Z_OK, kInternal, "zlib");
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  VL3_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, kInternal, "zlib");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace vl3::test
