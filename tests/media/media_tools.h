// Making media for tests with the ffmpeg program, and small files by hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "media/frame.h"
#include "support/temp_dir.h"

namespace vl3::test {

/// True when the ffmpeg program is installed and has the encoder.
bool have_encoder(const std::string& name);

/// Runs "ffmpeg ARGUMENTS dir/name" and gives the path. Throws when ffmpeg fails.
std::filesystem::path make_media(const TempDir& dir, const std::string& name, const std::string& arguments);

/// What "ffmpeg ARGUMENTS -f rawvideo -pix_fmt rgb24 -" puts out; arguments hold the input.
std::string ffmpeg_rgb(const std::string& arguments);

/// An input of moving colours with a frame counter.
std::string pattern(int width, int height, const std::string& rate, const std::string& seconds);

/// Peak memory in kB of a child process that runs `action`, which should catch its own errors; -1 when it
/// fails.
int64_t peak_kb(const std::function<void()>& action);

std::string read_bytes(const std::filesystem::path& path);
std::string as_bytes(const media::Frame& frame);
std::string as_bytes(const std::vector<media::Frame>& frames);

/// A PNG of the given header; `rows` are its filtered rows before compression.
std::string make_png(uint32_t width, uint32_t height, int depth, int color, const std::string& rows);

/// A BMP of 40-byte header. `data` is palette and pixels, or masks and pixels.
std::string make_bmp(int32_t width, int32_t height, int bits, int compression, const std::string& palette,
                     const std::string& pixels);

/// A GIF of `frames` one-colour pictures of 2 x 1 pixels; 0 gives a header and a trailer.
/// @param width, height  of the screen that they stand on
std::string make_gif(int frames, int width = 2, int height = 1);

}  // namespace vl3::test

/// Skips the test, saying why, where the ffmpeg program or one of its encoders is missing.
#define VL3_NEED_ENCODER(name) \
  if (!::vl3::test::have_encoder(name)) GTEST_SKIP() << "no ffmpeg program with the encoder " << (name)
