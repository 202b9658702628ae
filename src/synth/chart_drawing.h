// How charts are drawn, and what there is to draw: shared by charts.cpp and chart_drawing.cpp only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "synth/family.h"
#include "synth/text_layout.h"

namespace vl3::synth {

/// The levels of chart.*, in order.
enum ChartLevel { kPairs, kTable, kBeside, kBars2, kBars3, kBars4, kBars, kLine, kPie };

struct Mark {
  std::string name;
  int value = 0;
  Colour colour = Colour::kBlue;
  Rgb shade;
};

struct Chart {
  std::vector<Mark> marks;
  bool printed = false;   ///< the values can be read
  bool coloured = false;  ///< every mark has a colour of its own
  int level = 0;

  const char* thing() const {
    return level == kPairs || level == kTable ? "entry"
           : level == kLine                   ? "point"
           : level == kPie                    ? "slice"
                                              : "bar";
  }
};

const Mark& extreme(const Chart& chart, bool highest);

struct ChartLayout {
  int width = 0, height = 0;
  int widest = 0;  ///< name, in pixels
};
/// A size that the labels fit in; nothing where the options forbid it.
std::optional<ChartLayout> choose_chart_layout(Rng& rng, const SynthOptions& options, const Chart& chart,
                                               const Ink& ink);

/// Draws and adds marks and labels to the facts. False when a label would be cut off at the edge.
bool draw_chart(Rng& rng, Canvas& canvas, ImageFacts& facts, const Ink& ink, const Chart& chart,
                const ChartLayout& layout);

}  // namespace vl3::synth
