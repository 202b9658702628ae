#include "engine/still_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "media/sniff.h"

namespace vl3::engine {
namespace {

constexpr size_t kHeadBytes = 1 << 18;  // JPEG puts previews and profiles before its frame header

unsigned byte_at(std::string_view data, size_t at) {
  return at < data.size() ? static_cast<unsigned char>(data[at]) : 0u;
}

// ITU T.81 B.2.2: a progressive frame (SOF2, 6, 10, 14) keeps two bytes of every coefficient until its last
// scan.
double jpeg_coefficients(std::string_view head) {
  for (size_t at = 2; byte_at(head, at) == 0xff && at + 10 < head.size();) {
    const unsigned marker = byte_at(head, at + 1);
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (!frame) {
      at += 2 + (byte_at(head, at + 2) << 8 | byte_at(head, at + 3));
      continue;
    }
    if (marker % 4 != 2) return 0;
    const unsigned components = byte_at(head, at + 9);
    double samples = 0;
    unsigned most_h = 1, most_v = 1;
    for (unsigned c = 0; c < components; ++c) {
      const unsigned factors = byte_at(head, at + 11 + 3 * c);
      samples += (factors >> 4) * (factors & 15);
      most_h = std::max(most_h, factors >> 4);
      most_v = std::max(most_v, factors & 15);
    }
    return 2 * samples / (most_h * most_v);
  }
  return 0;
}

// PNG specification 11.2.2: an interlaced picture is refined pass by pass, so all of its rows stay.
double png_rows(std::string_view head) {
  constexpr unsigned kChannels[] = {1, 0, 3, 1, 2, 0, 4};
  const unsigned depth = byte_at(head, 24), colour = byte_at(head, 25);
  if (byte_at(head, 28) == 0 || colour > 6) return 0;
  return kChannels[colour] * (depth == 16 ? 2.0 : 1.0);
}

}  // namespace

double decoder_bytes_per_pixel(std::string_view head) {
  switch (media::sniff_still(head.substr(0, 1024))) {
    case media::StillFormat::kPng:
      return png_rows(head);
    case media::StillFormat::kJpeg:
      return jpeg_coefficients(head);
    case media::StillFormat::kWebp:
      return head.substr(12, 4) == "VP8 " ? 0 : 4;  // lossless and alpha: ARGB
    case media::StillFormat::kGif:
      return 1;
    case media::StillFormat::kTiff:
      return 4;
    case media::StillFormat::kHeif:
    case media::StillFormat::kAvif:
      return 4.5;  // planes, and their RGB
    case media::StillFormat::kBmp:
    case media::StillFormat::kNone:
      break;
  }
  return 0;
}

uint64_t still_decoding_bytes(const std::string& reference, const MediaOpener& opener,
                              preprocess::Size size) {
  const double pixels = static_cast<double>(size.height) * static_cast<double>(size.width);
  const auto picture = static_cast<uint64_t>(pixels * 3);
  if (!opener || reference.empty()) return picture;
  const preprocess::MediaContent content = opener(reference);
  const auto* data = std::get_if<media::MediaData>(&content);
  if (data == nullptr) return picture;
  std::string head;
  uint64_t file_bytes = 0;
  if (data->in_memory()) {
    head = data->bytes->substr(0, kHeadBytes);  // its bytes are held already
  } else {
    std::ifstream file(data->path, std::ios::binary);
    head.resize(kHeadBytes);
    head.resize(static_cast<size_t>(file.read(head.data(), std::ssize(head)).gcount()));
    std::error_code unreadable;
    const auto bytes = std::filesystem::file_size(data->path, unreadable);
    if (!unreadable) file_bytes = bytes;
  }
  return picture + file_bytes + static_cast<uint64_t>(pixels * decoder_bytes_per_pixel(head));
}

}  // namespace vl3::engine
