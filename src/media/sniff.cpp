#include "media/sniff.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace vl3::media {
namespace {

using std::literals::string_view_literals::operator""sv;

// Major brand first, then the compatible ones: an AVIF or HEIC file may carry the generic "mif1" in front.
bool has_brand(std::string_view head, std::string_view brand) {
  if (head.size() < 16 || head.substr(4, 4) != "ftyp"sv) return false;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(head[i]); };
  const size_t box = size_t{byte(0)} << 24 | size_t{byte(1)} << 16 | size_t{byte(2)} << 8 | byte(3);
  const size_t end = std::min(box, head.size());
  if (head.substr(8, 4) == brand) return true;
  for (size_t at = 16; at + 4 <= end; at += 4) {
    if (head.substr(at, 4) == brand) return true;
  }
  return false;
}

bool is_bmp(std::string_view head) {
  if (head.size() < 18 || !head.starts_with("BM")) return false;
  const auto size = static_cast<unsigned char>(head[14]);  // of the second header; little-endian, below 256
  constexpr std::array<unsigned char, 7> kSizes = {12, 40, 52, 56, 64, 108, 124};
  return head.substr(15, 3) == "\0\0\0"sv && std::find(kSizes.begin(), kSizes.end(), size) != kSizes.end();
}

std::string_view without_blanks(std::string_view head) {
  if (head.starts_with("\xef\xbb\xbf"sv)) head.remove_prefix(3);
  while (!head.empty() && std::isspace(static_cast<unsigned char>(head.front()))) head.remove_prefix(1);
  return head;
}

}  // namespace

StillFormat sniff_still(std::string_view head) {
  if (head.starts_with("\x89PNG\r\n\x1a\n"sv)) return StillFormat::kPng;
  if (head.starts_with("\xff\xd8\xff"sv)) return StillFormat::kJpeg;
  if (head.starts_with("RIFF"sv) && head.size() >= 12 && head.substr(8, 4) == "WEBP"sv)
    return StillFormat::kWebp;
  if (head.starts_with("GIF87a"sv) || head.starts_with("GIF89a"sv)) return StillFormat::kGif;
  if (is_bmp(head)) return StillFormat::kBmp;
  if (head.starts_with("II*\0"sv) || head.starts_with("MM\0*"sv) || head.starts_with("II+\0"sv) ||
      head.starts_with("MM\0+"sv)) {
    return StillFormat::kTiff;
  }
  if (has_brand(head, "avif") || has_brand(head, "avis")) return StillFormat::kAvif;
  for (const auto brand : {"heic"sv, "heix"sv, "heim"sv, "heis"sv, "hevc"sv, "hevx"sv, "mif1"sv, "msf1"sv}) {
    if (has_brand(head, brand)) return StillFormat::kHeif;
  }
  return StillFormat::kNone;
}

bool sniff_video(std::string_view head) {
  if (head.size() >= 12) {
    const std::string_view box = head.substr(4, 4);
    for (const auto known :
         {"ftyp"sv, "moov"sv, "mdat"sv, "free"sv, "skip"sv, "wide"sv, "moof"sv, "styp"sv, "sidx"sv}) {
      if (box == known) return sniff_still(head) == StillFormat::kNone;
    }
    if (head.starts_with("RIFF"sv) && (head.substr(8, 4) == "AVI "sv || head.substr(8, 4) == "AVIX"sv))
      return true;
  }
  for (const auto magic :
       {"\x1a\x45\xdf\xa3"sv, "FLV\x01"sv, "OggS"sv, "DKIF\0\0"sv, "YUV4MPEG2"sv,
        "\x30\x26\xb2\x75\x8e\x66\xcf\x11"sv, "\0\0\x01\xba"sv, "\0\0\x01\xb3"sv, "\0\0\x01\xb0"sv,
        "\0\0\x01\x67"sv, "\0\0\0\x01\x67"sv, "\0\0\0\x01\x09"sv, "\0\0\x01\x09"sv, "\0\0\0\x01\x40"sv,
        "\0\0\x01\x40"sv, "\0\0\0\x01\x46"sv, "\x12\0\x0a"sv}) {
    if (head.starts_with(magic)) return true;
  }
  // MPEG-TS: a sync byte every 188 bytes (M2TS: 192, after a 4-byte time).
  const auto synced = [&](size_t first, size_t step) {
    if (head.size() <= first + step) return false;
    for (size_t at = first; at < head.size() && at < first + 4 * step; at += step) {
      if (head[at] != '\x47') return false;
    }
    return true;
  };
  return synced(0, 188) || synced(4, 192);
}

bool sniff_playlist(std::string_view head) {
  const std::string_view text = without_blanks(head);
  for (const auto start : {"#EXTM3U"sv, "ffconcat"sv, "file '"sv, "file \""sv, "[playlist]"sv, "v=0\r\n"sv,
                           "v=0\n"sv, "<?xml"sv, "<MPD"sv, "<smil"sv, "[Reference]"sv, "#!"sv}) {
    if (text.starts_with(start)) return true;
  }
  return text.starts_with("file ") || text.starts_with("http://") || text.starts_with("https://");
}

const char* sniff_refused(std::string_view head) {
  if (head.starts_with("\0\0\0\x0cjP  "sv) || head.starts_with("\xff\x4f\xff\x51"sv)) return "JPEG 2000";
  if (head.starts_with("\0\0\0\x0cJXL "sv) || head.starts_with("\xff\x0a"sv)) return "JPEG XL";
  if (without_blanks(head).starts_with("<svg")) return "SVG";
  if (head.starts_with("%PDF"sv)) return "PDF";
  if (head.starts_with("8BPS"sv)) return "Photoshop";
  if (head.starts_with("\0\0\x01\0"sv) && head.size() > 6 && head[5] == '\0') return "Windows icon";
  if (head.size() > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' &&
      std::isspace(static_cast<unsigned char>(head[2]))) {
    return "PNM";
  }
  return nullptr;
}

}  // namespace vl3::media
