#include "synth/artefacts.h"

#include <cstdio>
// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csetjmp>
#include <cstdlib>

#include "core/check.h"
#include "media/image_reader.h"
#include "synth/video_encoder.h"

namespace vl3::synth {
namespace {

uint8_t byte(double value) { return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); }

// 4096 values of the normal distribution: sampling from a table costs a tenth of computing each.
const std::array<float, 4096>& normals() {
  static const std::array<float, 4096> table = [] {
    std::array<float, 4096> values{};
    Rng rng(20260101);
    for (float& value : values) value = static_cast<float>(rng.normal());
    return values;
  }();
  return table;
}

// A 3-tap binomial blur, `passes` times.
void soften(media::Frame& frame, int passes) {
  const int w = frame.width, h = frame.height;
  std::vector<uint8_t> other(frame.rgb.size());
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w * 3; ++x) {
        const size_t at = static_cast<size_t>(y) * static_cast<size_t>(w) * 3 + static_cast<size_t>(x);
        const int left = frame.rgb[x >= 3 ? at - 3 : at], right = frame.rgb[x + 3 < w * 3 ? at + 3 : at];
        other[at] = static_cast<uint8_t>((left + 2 * frame.rgb[at] + right + 2) / 4);
      }
    }
    const size_t row = static_cast<size_t>(w) * 3;
    for (int y = 0; y < h; ++y) {
      for (size_t x = 0; x < row; ++x) {
        const size_t at = static_cast<size_t>(y) * row + x;
        const int up = other[y > 0 ? at - row : at], down = other[y + 1 < h ? at + row : at];
        frame.rgb[at] = static_cast<uint8_t>((up + 2 * other[at] + down + 2) / 4);
      }
    }
  }
}

// The orthonormal DCT-II of eight values, as a matrix.
const std::array<std::array<float, 8>, 8>& dct_matrix() {
  static const auto matrix = [] {
    std::array<std::array<float, 8>, 8> m{};
    for (size_t k = 0; k < 8; ++k) {
      for (size_t n = 0; n < 8; ++n) {
        m[k][n] = static_cast<float>(
            (k == 0 ? std::sqrt(0.125) : 0.5) *
            std::cos((2.0 * static_cast<double>(n) + 1) * static_cast<double>(k) * 3.141592653589793 / 16));
      }
    }
    return m;
  }();
  return matrix;
}

void quantise_block(std::array<std::array<float, 8>, 8>& block, float step, float offset) {
  const auto& m = dct_matrix();
  std::array<std::array<float, 8>, 8> t{}, c{};
  for (size_t k = 0; k < 8; ++k) {
    for (size_t y = 0; y < 8; ++y) {
      for (size_t n = 0; n < 8; ++n) t[k][n] += m[k][y] * block[y][n];
    }
  }
  for (size_t k = 0; k < 8; ++k) {
    for (size_t j = 0; j < 8; ++j) {
      float sum = 0;
      for (size_t n = 0; n < 8; ++n) sum += t[k][n] * m[j][n];
      const float q = step * (1 + 0.25F * static_cast<float>(k + j));  // high frequencies are coarser
      c[k][j] = std::nearbyint(sum / q + offset) * q;
    }
  }
  t = {};
  for (size_t k = 0; k < 8; ++k) {
    for (size_t j = 0; j < 8; ++j) {
      if (c[k][j] == 0) continue;
      for (size_t n = 0; n < 8; ++n) t[k][n] += c[k][j] * m[j][n];
    }
  }
  block = {};
  for (size_t k = 0; k < 8; ++k) {
    for (size_t y = 0; y < 8; ++y) {
      for (size_t n = 0; n < 8; ++n) block[y][n] += m[k][y] * t[k][n];
    }
  }
}

void quantise_plane(std::vector<float>& plane, int width, int height, float step, float offset) {
  std::array<std::array<float, 8>, 8> block{};
  for (int y0 = 0; y0 < height; y0 += 8) {
    for (int x0 = 0; x0 < width; x0 += 8) {
      bool flat = true;
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
          const int row = std::min(y0 + y, height - 1), column = std::min(x0 + x, width - 1);
          block[static_cast<size_t>(y)][static_cast<size_t>(x)] =
              plane[static_cast<size_t>(row * width + column)] - 128;
          flat = flat && block[static_cast<size_t>(y)][static_cast<size_t>(x)] == block[0][0];
        }
      }
      if (flat) {  // most blocks of a drawn clip: only the mean is quantised
        const float q = step / 8, mean = std::nearbyint(block[0][0] / q + offset) * q;
        for (auto& row : block) row.fill(mean);
      } else {
        quantise_block(block, step, offset);
      }
      for (int y = 0; y < 8 && y0 + y < height; ++y) {
        for (int x = 0; x < 8 && x0 + x < width; ++x) {
          plane[static_cast<size_t>((y0 + y) * width + x0 + x)] =
              block[static_cast<size_t>(y)][static_cast<size_t>(x)] + 128;
        }
      }
    }
  }
}

struct JpegWriter {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf jump{};
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  ~JpegWriter() {
    jpeg_destroy_compress(&jpeg);
    std::free(buffer);
  }
};

}  // namespace

void add_sensor_noise(Rng& rng, double sigma, media::Frame& frame) {
  const auto& table = normals();
  uint64_t bits = 0;
  for (size_t i = 0; i < frame.rgb.size(); ++i) {
    if (i % 5 == 0) bits = rng.next();
    frame.rgb[i] = byte(frame.rgb[i] + sigma * static_cast<double>(table[bits & 4095]));
    bits >>= 12;
  }
}

std::string encode_jpeg(const media::Frame& frame, int quality) {
  JpegWriter writer;
  writer.jpeg.err = jpeg_std_error(&writer.errors);
  writer.jpeg.client_data = &writer;
  writer.errors.error_exit = [](j_common_ptr info) {
    longjmp(static_cast<JpegWriter*>(info->client_data)->jump, 1);
  };
  // Nothing below owns what longjmp would leave behind.
  if (setjmp(writer.jump) != 0)
    VL3_FAIL(kInternal, "a picture of {}x{} cannot be written as JPEG", frame.width, frame.height);
  jpeg_create_compress(&writer.jpeg);
  jpeg_mem_dest(&writer.jpeg, &writer.buffer, &writer.size);
  writer.jpeg.image_width = static_cast<JDIMENSION>(frame.width);
  writer.jpeg.image_height = static_cast<JDIMENSION>(frame.height);
  writer.jpeg.input_components = 3;
  writer.jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&writer.jpeg);
  jpeg_set_quality(&writer.jpeg, quality, TRUE);
  jpeg_start_compress(&writer.jpeg, TRUE);
  while (writer.jpeg.next_scanline < writer.jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(
        &frame.rgb[static_cast<size_t>(writer.jpeg.next_scanline) * static_cast<size_t>(frame.width) * 3]);
    jpeg_write_scanlines(&writer.jpeg, &row, 1);
  }
  jpeg_finish_compress(&writer.jpeg);
  return {reinterpret_cast<const char*>(writer.buffer), static_cast<size_t>(writer.size)};
}

void jpeg_round_trip(int quality, media::Frame& frame) {
  const double pts_s = frame.pts_s;
  frame = media::read_image(media::media_from_bytes(encode_jpeg(frame, quality), "a picture in memory"),
                            Flow::kRemote);
  frame.pts_s = pts_s;
}

void dct_round_trip(Rng& rng, double step, media::Frame& frame) {
  const int w = frame.width, h = frame.height, cw = (w + 1) / 2, ch = (h + 1) / 2;
  std::vector<float> luma(static_cast<size_t>(w * h)), blue(static_cast<size_t>(cw * ch)), red(blue.size());
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const size_t at = static_cast<size_t>(y * w + x);
      const float r = frame.rgb[at * 3], g = frame.rgb[at * 3 + 1], b = frame.rgb[at * 3 + 2];
      luma[at] = 0.299F * r + 0.587F * g + 0.114F * b;
      if (x % 2 == 0 && y % 2 == 0) {
        blue[static_cast<size_t>(y / 2 * cw + x / 2)] = (b - luma[at]) * 0.564F + 128;
        red[static_cast<size_t>(y / 2 * cw + x / 2)] = (r - luma[at]) * 0.713F + 128;
      }
    }
  }
  // The offset of the rounding moves from frame to frame, as the residues of a real encoder do.
  const auto offset = [&rng] { return static_cast<float>(rng.real(-0.12, 0.12)); };
  quantise_plane(luma, w, h, static_cast<float>(step), offset());
  quantise_plane(blue, cw, ch, static_cast<float>(step) * 1.3F, offset());
  quantise_plane(red, cw, ch, static_cast<float>(step) * 1.3F, offset());
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const size_t at = static_cast<size_t>(y * w + x), chroma = static_cast<size_t>(y / 2 * cw + x / 2);
      const double l = static_cast<double>(luma[at]), u = static_cast<double>(blue[chroma]) - 128,
                   v = static_cast<double>(red[chroma]) - 128;
      frame.rgb[at * 3] = byte(l + 1.402 * v);
      frame.rgb[at * 3 + 1] = byte(l - 0.344 * u - 0.714 * v);
      frame.rgb[at * 3 + 2] = byte(l + 1.772 * u);
    }
  }
}

void degrade_images(Rng& rng, const SynthOptions& options, Frailty frailty,
                    std::vector<media::Frame>& images) {
  const bool clean = frailty == Frailty::kClean;
  const double roll = rng.real();
  double sigma = options.sensor_noise.value_or(
      clean || roll < 0.8 ? 0 : rng.real(0.5, frailty == Frailty::kText ? 4 : 6));
  bool jpeg = !clean && (roll < 0.35 || roll > 0.92);
  if (options.image_codec) jpeg = *options.image_codec == Codec::kJpeg;
  const bool dct = options.image_codec == Codec::kDct;
  const int quality = rng.between(frailty == Frailty::kText ? 60 : 35, 96);
  const int passes = frailty == Frailty::kRobust && rng.chance(0.12) ? rng.between(1, 3)
                     : frailty == Frailty::kText && rng.chance(0.06) ? 1
                                                                     : 0;
  for (media::Frame& image : images) {
    if (passes > 0) soften(image, passes);
    if (sigma > 0) add_sensor_noise(rng, sigma, image);
    if (jpeg) jpeg_round_trip(quality, image);
    if (dct) dct_round_trip(rng, rng.real(4, 30), image);
  }
}

Codec degrade_clip(Rng& rng, const SynthOptions& options, std::vector<media::Frame>& frames) {
  const double roll = rng.real();
  const Codec codec = options.codec.value_or(roll < 0.45   ? Codec::kRaw
                                             : roll < 0.65 ? Codec::kDct
                                             : roll < 0.8  ? Codec::kJpeg
                                                           : Codec::kH264);
  const double sigma =
      options.sensor_noise.value_or(codec != Codec::kRaw && rng.chance(0.3) ? rng.real(0.5, 5) : 0);
  const int quality = rng.between(45, 95), crf = rng.between(16, 32);
  const double step = rng.real(4, 24);
  for (media::Frame& frame : frames) {
    if (sigma > 0) add_sensor_noise(rng, sigma, frame);
    if (codec == Codec::kJpeg) jpeg_round_trip(quality, frame);
    if (codec == Codec::kDct) dct_round_trip(rng, step, frame);
  }
  if (codec == Codec::kH264) h264_round_trip(frames, options.fps, crf);
  return codec;
}

}  // namespace vl3::synth
