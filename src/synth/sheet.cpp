#include "synth/sheet.h"

#include <algorithm>

#include "core/check.h"
#include "media/png_writer.h"
#include "synth/canvas.h"
#include "synth/fonts.h"

namespace vl3::synth {
namespace {

constexpr int kTile = 470, kMedia = 250, kLine = 15, kColumns = 3;

// Halves a picture until it fits; returns where the next one may begin.
void paste(Canvas& canvas, const media::Frame& frame, int x0, int y0, int step) {
  for (int y = 0; y * step < frame.height; ++y) {
    for (int x = 0; x * step < frame.width; ++x) {
      if (x0 + x >= canvas.width() || y0 + y >= canvas.height()) continue;
      const size_t at =
          (static_cast<size_t>(y * step) * static_cast<size_t>(frame.width) + static_cast<size_t>(x * step)) *
          3;
      canvas.at(x0 + x, y0 + y) = static_cast<uint32_t>(frame.rgb[at]) << 16 |
                                  static_cast<uint32_t>(frame.rgb[at + 1]) << 8 | frame.rgb[at + 2];
    }
  }
}

std::vector<std::string> lines_of(const Sample& sample, const TextLook& look) {
  std::vector<std::string> lines;
  for (const Question& question : sample.questions) {
    std::string text = fmt::format("{}@{}: {} -> {}", question.kind.substr(question.kind.find('.') + 1),
                                   question.level, question.text, question.answer);
    std::replace(text.begin(), text.end(), '\n', '/');
    if (question.time_s > 0) text += fmt::format(" ({:.1f} s)", question.time_s);
    while (!text.empty()) {
      size_t length = text.size();
      while (text_width(std::string_view(text).substr(0, length), look) > kTile - 12) --length;
      lines.push_back(text.substr(0, length));
      text.erase(0, length);
      if (!text.empty()) text = "   " + text;
    }
  }
  return lines;
}

}  // namespace

std::string draw_sheet(const std::vector<Sample>& samples) {
  VL3_CHECK(!samples.empty(), kInvalidArgument, "a sheet without samples");
  TextLook look;
  look.size = 12;
  std::vector<std::vector<std::string>> lines;
  size_t most = 0;
  int media_height = 0;
  for (const Sample& sample : samples) {
    lines.push_back(lines_of(sample, look));
    most = std::max(most, lines.back().size());
    if (!sample.frames.empty()) media_height = kMedia;
  }
  const int height = media_height + static_cast<int>(most) * kLine + 14;
  const int rows = (static_cast<int>(samples.size()) + kColumns - 1) / kColumns;
  Canvas canvas(kTile * kColumns, std::max(32, height * rows));
  canvas.fill_rectangle(0, 0, canvas.width(), canvas.height(), {250, 250, 250});
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    const int x0 = static_cast<int>(i) % kColumns * kTile + 6,
              y0 = static_cast<int>(i) / kColumns * height + 6;
    const size_t shown = std::min<size_t>(8, sample.frames.size());
    int x = x0, y = y0;
    for (size_t k = 0; k < shown; ++k) {
      const media::Frame& frame = sample.frames[k * sample.frames.size() / shown];
      // Clips: two rows of four; images beside each other.
      const int room_x = (kTile - 12) / static_cast<int>(shown > 4 ? 4 : shown) - 4,
                room_y = (shown > 4 ? kMedia / 2 : kMedia) - 8;
      int step = 1;
      while (frame.width / step > room_x || frame.height / step > room_y) ++step;
      if (k == 4) x = x0, y += kMedia / 2;
      paste(canvas, frame, x, y, step);
      x += frame.width / step + 4;
    }
    for (size_t k = 0; k < lines[i].size(); ++k)
      draw_text(canvas, x0, y0 + media_height + static_cast<int>(k) * kLine, lines[i][k], look);
  }
  return media::encode_png(canvas.to_frame());
}

}  // namespace vl3::synth
