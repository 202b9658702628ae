#include "media/media_tools.h"

#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <fstream>
#include <iterator>

namespace vl3::test {
namespace {

std::string run(const std::string& command, int* status) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  VL3_CHECK(pipe != nullptr, kInternal, "popen {}", command);
  std::vector<char> buffer(1 << 16);
  size_t got = 0;
  while ((got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) out.append(buffer.data(), got);
  *status = ::pclose(pipe);
  return out;
}

std::string quoted(const std::filesystem::path& path) { return fmt::format("'{}'", path.string()); }

std::string big_endian(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string little_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

}  // namespace

bool have_encoder(const std::string& name) {
  static const std::string list = [] {
    int status = 0;
    return run("ffmpeg -hide_banner -loglevel quiet -encoders 2>/dev/null", &status);
  }();
  return list.find(" " + name + " ") != std::string::npos;
}

std::filesystem::path make_media(const TempDir& dir, const std::string& name, const std::string& arguments) {
  const std::filesystem::path path = dir / name;
  int status = 0;
  const std::string command =
      "ffmpeg -y -nostdin -hide_banner -loglevel error " + arguments + " " + quoted(path) + " 2>&1";
  const std::string output = run(command, &status);
  VL3_CHECK(status == 0 && std::filesystem::exists(path), kInternal, "{}: {}", command, output);
  return path;
}

std::string ffmpeg_rgb(const std::string& arguments) {
  int status = 0;
  return run("ffmpeg -nostdin -loglevel error " + arguments + " -f rawvideo -pix_fmt rgb24 - 2>/dev/null",
             &status);
}

std::string pattern(int width, int height, const std::string& rate, const std::string& seconds) {
  // testsrc2 draws even sizes only; the scaler makes the others.
  return fmt::format("-f lavfi -i testsrc2=s=160x120:r={}:d={},scale={}:{}:flags=neighbor ", rate, seconds,
                     width, height);
}

int64_t peak_kb(const std::function<void()>& action) {
  int ends[2];
  VL3_CHECK(::pipe(ends) == 0, kInternal, "pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    int64_t peak = -1;
    try {
      std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew
      action();
      std::ifstream status("/proc/self/status");
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) peak = std::stoll(line.substr(6));
      }
    } catch (...) {
    }
    const ssize_t put = ::write(ends[1], &peak, sizeof peak);
    ::_exit(put == sizeof peak ? 0 : 1);
  }
  ::close(ends[1]);
  int64_t peak = -1;
  const ssize_t got = ::read(ends[0], &peak, sizeof peak);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return got == sizeof peak ? peak : -1;
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string as_bytes(const media::Frame& frame) {
  return {reinterpret_cast<const char*>(frame.rgb.data()), frame.rgb.size()};
}

std::string as_bytes(const std::vector<media::Frame>& frames) {
  std::string all;
  for (const media::Frame& frame : frames) all += as_bytes(frame);
  return all;
}

std::string make_png(uint32_t width, uint32_t height, int depth, int color, const std::string& rows) {
  const auto chunk = [](const std::string& kind, const std::string& content) {
    const std::string body = kind + content;
    const uLong sum = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return big_endian(static_cast<uint32_t>(content.size())) + body + big_endian(static_cast<uint32_t>(sum));
  };
  uLongf size = ::compressBound(rows.size());
  std::string packed(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
             rows.size());
  packed.resize(size);
  std::string header = big_endian(width) + big_endian(height);
  header += static_cast<char>(depth);
  header += static_cast<char>(color);
  header += std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", packed) + chunk("IEND", "");
}

std::string make_bmp(int32_t width, int32_t height, int bits, int compression, const std::string& palette,
                     const std::string& pixels) {
  const uint64_t offset = 14 + 40 + palette.size();
  return "BM" + little_endian(offset + pixels.size(), 4) + little_endian(0, 4) + little_endian(offset, 4) +
         little_endian(40, 4) + little_endian(static_cast<uint32_t>(width), 4) +
         little_endian(static_cast<uint32_t>(height), 4) + little_endian(1, 2) +
         little_endian(static_cast<uint64_t>(bits), 2) +
         little_endian(static_cast<uint64_t>(compression), 4) + little_endian(pixels.size(), 4) +
         std::string(16, '\0') + palette + pixels;
}

std::string make_gif(int frames, int width, int height) {
  using std::literals::string_literals::operator""s;
  // Four colours: black, red, green, blue.
  std::string gif = "GIF89a" + little_endian(static_cast<uint64_t>(width), 2) +
                    little_endian(static_cast<uint64_t>(height), 2) + "\x81\0\0"s +
                    "\0\0\0\xff\0\0\0\xff\0\0\0\xff"s;
  for (int i = 0; i < frames; ++i) {
    gif += "!\xf9\x04\0\x0a\0\0\0"s;
    // Codes of 3 bits, lowest first: clear (4), colour, colour, end (5).
    const unsigned colour = static_cast<unsigned>(i) % 4;
    const unsigned codes = 4u | colour << 3 | colour << 6 | 5u << 9;
    gif += ",\0\0\0\0\x02\0\x01\0\0\x02\x02"s + static_cast<char>(codes & 0xff) +
           static_cast<char>(codes >> 8) + '\0';
  }
  return gif + ";";
}

}  // namespace vl3::test
