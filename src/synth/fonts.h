// Printed text: Debian's freely licensed faces through FreeType, glyphs cached a thread. Thread-safe.
//
// A face that is not installed is replaced by the DejaVu face of its style, so that a sample stays readable;
// its pixels then differ from another machine's. font_fingerprint() tells two sets of faces apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "synth/canvas.h"

namespace vl3::synth {

enum class FontStyle { kSans, kSerif, kMono, kHand };

struct Font {
  std::string_view file;     ///< below /usr/share/fonts
  std::string_view package;  ///< Debian's
  FontStyle style;
  bool bold;
};

/// Index 0 is DejaVu Sans Mono, 1 DejaVu Sans, 2 DejaVu Serif: what stands in for others.
const std::vector<Font>& fonts();
bool is_installed(int font);
/// Names of the faces that are installed, hashed.
std::string font_fingerprint();
int pick_font(Rng& rng);
int pick_font(Rng& rng, FontStyle style);

struct TextLook {
  int font = 1;
  int size = 16;  ///< pixels of the em square
  Rgb colour;
  bool antialias = true;
  bool hinted = true;
  double tracking = 0;       ///< pixels between letters
  std::optional<int> pitch;  ///< every character centred in a cell of this width instead
};

struct PlacedText {
  Box box;                 ///< of the ink; of the advance where there is none
  std::vector<Box> chars;  ///< one a character of the text, spaces included (empty boxes)
};

/// Height of a line from the top of "Å" to the bottom of "g", and how far below its top the baseline is.
struct LineMetrics {
  int height = 0, ascent = 0;
};
LineMetrics line_metrics(const TextLook& look);
/// Width by the advances.
int text_width(std::string_view text, const TextLook& look);

/// Draws ASCII text with the left end of its advance at x and its line's top at y; clipped to the canvas.
/// @throws Error(kNotFound) where not even DejaVu is installed.
PlacedText draw_text(Canvas& canvas, int x, int y, std::string_view text, const TextLook& look);

}  // namespace vl3::synth
