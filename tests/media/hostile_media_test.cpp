// Broken, cut and malicious files: every one ends in one vl3::Error of the right kind, or in a result, never
// in a crash, a hang or a read of another file.
#include <gtest/gtest.h>

#include <random>

#include "media/image_reader.h"
#include "media/media_tools.h"
#include "media/probe.h"
#include "media/sampled_reader.h"

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;
using test::error_of;
using test::make_bmp;
using test::make_gif;
using test::make_media;
using test::make_png;
using test::pattern;
using test::read_bytes;
using test::TempDir;

MediaLimits small_limits() {
  MediaLimits limits;
  limits.max_pixels = 4'000'000;
  limits.timeout_s = 20;
  return limits;
}

// Opens, probes and reads whatever it is to the end; "" or the error's text.
std::string read_to_the_end(const MediaData& media) {
  const MediaLimits limits = small_limits();
  return error_of([&] {
    const MediaInfo info = probe_media(media, Flow::kNative, limits);
    if (info.kind == MediaKind::kImage) {
      read_image(media, Flow::kNative, limits);
      return;
    }
    SampledReader reader(media, info.index, plan_frames(info.index, info.video, {}), limits);
    while (reader.next()) {
    }
  });
}

std::string read_bytes_to_the_end(std::string bytes) {
  return read_to_the_end(media_from_bytes(std::move(bytes), "m"));
}

struct Sample {
  std::string name, encoder, arguments;
};

std::vector<Sample> samples() {
  const std::string still = pattern(64, 48, "10", "1") + "-frames:v 1 ";
  const std::string video = pattern(64, 48, "10", "2") + "-vf format=yuv420p ";
  return {{"a.png", "png", still},
          {"a.jpg", "mjpeg", still + "-pix_fmt yuvj420p "},
          {"a.webp", "libwebp", still},
          {"a.bmp", "bmp", still},
          {"a.tif", "tiff", still},
          {"a.gif", "gif", still},
          {"b.gif", "gif", pattern(64, 48, "10", "1")},
          {"a.mp4", "libx264", video},
          {"faststart.mp4", "libx264", video + "-movflags +faststart "},
          {"a.mkv", "libx264", video},
          {"a.ts", "libx264", video},
          {"a.webm", "libvpx-vp9", video + "-cpu-used 8 "},
          {"a.avi", "mpeg4", video},
          {"mjpeg.avi", "mjpeg", pattern(64, 48, "10", "1") + "-pix_fmt yuvj420p "},
          {"a.h264", "libx264", video}};
}

// Stills that end early are errors in Pillow, so here.
TEST(HostileMedia, TruncatedStillsAreCorrupt) {
  const TempDir dir;
  for (const Sample& sample : samples()) {
    const bool still = sample.arguments.find("-frames:v 1") != std::string::npos;
    if (!still || !test::have_encoder(sample.encoder)) continue;
    const std::string bytes =
        read_bytes(make_media(dir, sample.name, sample.arguments + "-c:v " + sample.encoder));
    EXPECT_EQ(read_bytes_to_the_end(bytes), "") << sample.name;
    for (const double part : {0.02, 0.1, 0.3, 0.5, 0.7, 0.9}) {
      const auto size = static_cast<size_t>(static_cast<double>(bytes.size()) * part);
      if (size < 20) continue;
      const std::string error = error_of([&] {
        read_image(media_from_bytes(bytes.substr(0, size), sample.name), Flow::kRemote, small_limits());
      });
      EXPECT_TRUE(error.starts_with("corrupt: " + sample.name))
          << sample.name << " at " << part << ": " << error;
    }
  }
}

TEST(HostileMedia, EveryTruncationEndsWell) {
  const TempDir dir;
  for (const Sample& sample : samples()) {
    if (!test::have_encoder(sample.encoder)) continue;
    const std::string bytes =
        read_bytes(make_media(dir, sample.name, sample.arguments + "-c:v " + sample.encoder));
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 23) {
      const std::string error = read_bytes_to_the_end(bytes.substr(0, size));
      EXPECT_EQ(error.find("internal"), std::string::npos)
          << sample.name << " of " << size << " bytes: " << error;
    }
  }
}

TEST(HostileMedia, EveryBitFlipEndsWell) {
  const TempDir dir;
  std::mt19937 random(7);
  for (const Sample& sample : samples()) {
    if (!test::have_encoder(sample.encoder)) continue;
    const std::string bytes =
        read_bytes(make_media(dir, sample.name, sample.arguments + "-c:v " + sample.encoder));
    for (int round = 0; round < 25; ++round) {
      std::string broken = bytes;
      // Headers matter most: half of the changes go to the first 200 bytes.
      for (int i = 0; i < 4; ++i) {
        const size_t range = i % 2 == 0 ? std::min<size_t>(200, broken.size()) : broken.size();
        broken[random() % range] = static_cast<char>(random());
      }
      const std::string error = read_bytes_to_the_end(broken);
      EXPECT_EQ(error.find("internal"), std::string::npos)
          << sample.name << " round " << round << ": " << error;
    }
  }
}

TEST(HostileMedia, RandomBytesBehindEveryMagic) {
  std::mt19937 random(11);
  for (const std::string& magic : {"\x89PNG\r\n\x1a\n"s,
                                   "\xff\xd8\xff\xe0"s,
                                   "RIFF\x10\0\0\0WEBPVP8 "s,
                                   "RIFF\x10\0\0\0AVI LIST"s,
                                   "GIF89a"s,
                                   "BM"s,
                                   "II*\0\x08\0\0\0"s,
                                   "MM\0*\0\0\0\x08"s,
                                   "II+\0"s,
                                   "\0\0\0\x18"
                                   "ftypisom"s,
                                   "\0\0\0\x18"
                                   "ftypheic"s,
                                   "\0\0\0\x18"
                                   "ftypavif"s,
                                   "\x1a\x45\xdf\xa3"s,
                                   "FLV\x01"s,
                                   "OggS"s,
                                   "\0\0\x01\xba"s,
                                   "\0\0\0\x01\x67"s,
                                   "DKIF\0\0"s,
                                   "YUV4MPEG2 W64 H64 F25:1\n"s,
                                   "\x47"s,
                                   ""s}) {
    for (int round = 0; round < 6; ++round) {
      std::string bytes = magic;
      const size_t size = round == 0 ? 0 : 30 + random() % 3000;
      for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(random());
      const std::string error = read_bytes_to_the_end(bytes);
      EXPECT_EQ(error.find("internal"), std::string::npos) << error;
      EXPECT_NE(error, "") << "magic of " << magic.size() << " bytes";
    }
  }
}

// Playlists may name any file of the machine; not one is opened, whatever the playlist's own name or the
// caller says.
TEST(HostileMedia, PlaylistsReachNoOtherFile) {
  const TempDir dir;
  const std::string secret = (dir / "secret.mp4").string();
  if (test::have_encoder("libx264"))
    make_media(dir, "secret.mp4", pattern(64, 48, "10", "1") + "-vf format=yuv420p -c:v libx264");
  const std::vector<std::string> texts = {
      "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + secret + "\n#EXT-X-ENDLIST\n",
      "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:1/x.ts\n#EXT-X-ENDLIST\n",
      "ffconcat version 1.0\nfile '" + secret + "'\n",
      "file '" + secret + "'\n",
      "concat:" + secret,
      "<?xml version=\"1.0\"?><MPD><BaseURL>" + secret + "</BaseURL></MPD>",
      "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
  };
  for (const std::string& text : texts) {
    for (const char* name : {"list.m3u8", "list.mp4", "list.txt"}) {
      const MediaData file = open_media(dir.write(name, text).string());
      EXPECT_NE(read_to_the_end(file), "") << text;
      // Forced to be a video, past our own sniffing.
      const std::string forced =
          error_of([&] { probe_media(file, Flow::kRemote, small_limits(), MediaKind::kVideo); });
      EXPECT_TRUE(forced.starts_with("unsupported") || forced.starts_with("corrupt")) << text << forced;
    }
  }
}

// An MP4 whose samples are said to lie in another file ("dref" of type "url ").
TEST(HostileMedia, Mp4ReferencesReachNoOtherFile) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  std::string bytes = read_bytes(make_media(
      dir, "a.mp4", pattern(64, 48, "10", "1") + "-vf format=yuv420p -c:v libx264 -movflags +faststart"));
  const size_t at = bytes.find("url \0\0\0\x01"s);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 7] = '\0';  // not "in this file" any more
  const std::string error = read_bytes_to_the_end(bytes);
  EXPECT_EQ(error.find("internal"), std::string::npos) << error;
}

TEST(HostileMedia, WrongExtensionsDoNotMatter) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const std::filesystem::path video =
      make_media(dir, "a.mp4", pattern(64, 48, "10", "2") + "-vf format=yuv420p -c:v libx264");
  EXPECT_EQ(read_to_the_end(open_media(dir.write("video.png", read_bytes(video)).string())), "");
  EXPECT_EQ(read_to_the_end(open_media(dir.write("picture.mp4", make_png(1, 1, 8, 0, "\0\7"s)).string())),
            "");
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

// A TIFF of one directory: (tag, value) as LONGs.
std::string make_tiff(const std::vector<std::pair<uint16_t, uint32_t>>& tags) {
  std::string out = "II*\0\x08\0\0\0"s + static_cast<char>(tags.size()) + '\0';
  for (const auto& [tag, value] : tags) {
    out += bytes_of({tag & 255, tag >> 8, 4, 0, 1, 0, 0, 0});
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
  }
  return out + std::string(4, '\0');
}

// A picture's size is judged by its header, before anything of that size is allocated: a PNG of 69 bytes took
// 6.4 GB.
TEST(HostileMedia, HugeHeadersTakeNoMemory) {
  constexpr uint32_t kHuge = 0x7fffffff;
  struct Case {
    std::string what, bytes;
  };
  std::vector<Case> cases = {
      {"GIF", make_gif(1, 65535, 65535)},
      {"BMP", make_bmp(1 << 30, 1 << 30, 24, 0, "", "x")},
      {"BMP runs", make_bmp(1 << 30, 1 << 30, 8, 1, std::string(1024, 'p'), "\x05\x01")},
      {"JPEG",
       bytes_of({0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xdc, 0xff, 0xdc, 3, 1, 0x22, 0,  2, 0x22, 0, 3,
                 0x22, 0,    0xff, 0xda, 0, 12, 3, 1,    0,    2,    0,    3, 0, 0,    63, 0, 0,    0, 0})},
      {"progressive JPEG",
       bytes_of({0xff, 0xd8, 0xff, 0xc2, 0, 17, 8, 0xff, 0xdc, 0xff, 0xdc, 3, 1, 0x22, 0, 2, 0x22, 0, 3,
                 0x22, 0,    0xff, 0xda, 0, 12, 3, 1,    0,    2,    0,    3, 0, 0,    0, 0, 0,    0, 0})},
      {"WebP", "RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0"s},
      {"TIFF of one strip", make_tiff({{256, kHuge},
                                       {257, kHuge},
                                       {258, 8},
                                       {259, 1},
                                       {262, 1},
                                       {273, 8},
                                       {277, 1},
                                       {278, kHuge},
                                       {279, kHuge}})},
      {"TIFF of a strip a row, sizes left out",
       make_tiff({{256, kHuge}, {257, kHuge}, {258, 8}, {259, 1}, {262, 1}, {273, 8}, {277, 1}, {278, 1}})},
      {"TIFF of tiles", make_tiff({{256, kHuge},
                                   {257, kHuge},
                                   {258, 8},
                                   {259, 1},
                                   {262, 1},
                                   {277, 1},
                                   {322, 16},
                                   {323, 16},
                                   {324, 8},
                                   {325, 8}})},
  };
  for (const int color : {0, 2, 3, 4, 6}) {
    cases.push_back({fmt::format("PNG of colour {}", color), make_png(kHuge, kHuge, 8, color, "")});
  }
  const int64_t idle = test::peak_kb([] {});
  for (const Case& c : cases) {
    const MediaData media = media_from_bytes(c.bytes, "m");
    const int64_t peak = test::peak_kb([&] {
      error_of([&] { read_image(media, Flow::kNative); });
      error_of([&] { read_image_size(media, Flow::kNative); });
    });
    EXPECT_NE(error_of([&] { read_image(media, Flow::kNative); }), "") << c.what;
    EXPECT_LT(peak - idle, 32 * 1024) << c.what << " took " << peak << " kB, an idle process " << idle;
    EXPECT_GT(peak, 0) << c.what;
  }
}

// A GIF of 46 KB asked for 200 thousand million pixels.
TEST(HostileMedia, SmallFilesOfManyLargeFramesAreRefused) {
  const auto error = [](int frames, int width, int height, const MediaLimits& limits) {
    const MediaData media = media_from_bytes(make_gif(frames, width, height), "m");
    return error_of([&] { probe_media(media, Flow::kRemote, limits); });
  };
  EXPECT_TRUE(error(2, 10000, 10000, {}).starts_with("limit reached: m: frames of 10000 x 10000"))
      << error(2, 10000, 10000, {});
  EXPECT_EQ(error(100, 400, 300, {}), "");
  MediaLimits limits;
  limits.max_animation_pixels = 400 * 300 * 99;
  EXPECT_TRUE(error(100, 400, 300, limits).starts_with("limit reached: m: 100 frames of 400 x 300 are"))
      << error(100, 400, 300, limits);
  EXPECT_EQ(error(99, 400, 300, limits), "");
}

TEST(HostileMedia, EveryVideoHasABudgetOfPixels) {
  VL3_NEED_ENCODER("libx264");
  const TempDir dir;
  const MediaData media = open_media(
      make_media(dir, "a.mp4", pattern(64, 48, "10", "2") + "-vf format=yuv420p -c:v libx264").string());
  MediaLimits limits;
  limits.max_video_pixels = 64 * 48 * 19;
  EXPECT_TRUE(error_of([&] { probe_media(media, Flow::kRemote, limits); }).starts_with("limit reached"));
  limits.max_video_pixels = 64 * 48 * 20;
  limits.max_animation_pixels = 1;
  EXPECT_EQ(error_of([&] { probe_media(media, Flow::kRemote, limits); }), "");
}

TEST(HostileMedia, OneErrorEach) {
  const TempDir dir;
  struct Case {
    std::string what, bytes, error;
  };
  const std::vector<Case> cases = {
      {"empty", "", "corrupt: m: is empty"},
      {"text", "hello", "unsupported"},
      {"PNG signature alone", "\x89PNG\r\n\x1a\n", "corrupt"},
      {"PNG without data", make_png(2, 2, 8, 0, ""), "corrupt"},
      {"PNG of zero width", make_png(0, 2, 8, 0, ""), "corrupt"},
      {"PNG of an impossible depth", make_png(2, 2, 3, 0, "\0\0\0\0"s), "corrupt"},
      {"PNG palette without a palette", make_png(2, 2, 8, 3, std::string(6, '\0')), "corrupt"},
      {"PNG bomb", make_png(100000, 100000, 8, 2, ""), "limit reached"},
      {"GIF without frames", make_gif(0), "corrupt"},
      {"GIF of zero size", "GIF89a\0\0\0\0\0\0\0,\0\0\0\0\0\0\0\0\0\x02\0;"s, "corrupt"},
      {"GIF bomb", "GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;"s, "limit reached"},
      {"BMP bomb", make_bmp(1 << 30, 1 << 30, 24, 0, "", "x"), "limit reached"},
      {"BMP of negative width", make_bmp(-5, 5, 24, 0, "", "x"), "corrupt"},
      {"BMP of 7 bits", make_bmp(2, 2, 7, 0, "", "x"), "unsupported"},
      {"BMP in JPEG", make_bmp(2, 2, 24, 4, "", "x"), "unsupported"},
      {"BMP without pixels", make_bmp(20, 20, 24, 0, "", "x"), "corrupt"},
      {"BMP runs without end", make_bmp(20, 20, 8, 1, std::string(1024, 'p'), "\x05\x01"), "corrupt"},
      {"JPEG start alone", "\xff\xd8\xff", "corrupt"},
      {"JPEG without a scan", "\xff\xd8\xff\xd9", "corrupt"},
      {"TIFF without a directory", "II*\0\0\0\0\0"s, "corrupt"},
      {"TIFF directory outside", "II*\0\xf0\xff\xff\xff"s, "corrupt"},
      {"WebP header alone", "RIFF\x04\0\0\0WEBP"s, "corrupt"},
      {"WebP bomb", "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\x00\xff\xff\x00"s, "corrupt"},
      {"HEIC header alone",
       "\0\0\0\x18"
       "ftypheic\0\0\0\0mif1heic"s,
       "corrupt"},
      {"MP4 header alone",
       "\0\0\0\x18"
       "ftypisom\0\0\0\0isommp42"s,
       "corrupt"},
      {"MP4 of an absurd box",
       "\0\0\0\x18"
       "ftypisom\0\0\0\0isommp42\xff\xff\xff\xffmoov"s,
       "unsupported"},
      {"Matroska header alone", "\x1a\x45\xdf\xa3", "corrupt"},
      {"HLS", "#EXTM3U\n", "unsupported: m: is a playlist"},
      {"PDF", "%PDF-1.5", "unsupported"},
  };
  for (const Case& c : cases) {
    const std::string error = read_bytes_to_the_end(c.bytes);
    EXPECT_TRUE(error.starts_with(c.error)) << c.what << ": " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << c.what;
    // The same from a file.
    EXPECT_TRUE(
        read_to_the_end(open_media(dir.write("x", c.bytes).string())).starts_with(c.error.substr(0, 7)))
        << c.what;
  }
}

}  // namespace
}  // namespace vl3::media
