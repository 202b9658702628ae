#include "synth/fonts.h"

#include <ft2build.h>
// ft2build.h names the headers after it.
#include FT_FREETYPE_H

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/check.h"
#include "core/file.h"

namespace vl3::synth {
namespace {

constexpr const char* kFontRoot = "/usr/share/fonts/";
using enum FontStyle;

std::filesystem::path path_of(const Font& font) { return std::filesystem::path(kFontRoot) / font.file; }

// What stands in for a face that is not there.
int stand_in(const Font& font) { return font.style == kMono ? 0 : font.style == kSerif ? 2 : 1; }

// Which file each entry of fonts() really reads; the bytes are mapped once for all threads.
struct FontFiles {
  std::vector<int> used;
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::vector<bool> installed;
  FontFiles() {
    const auto& all = fonts();
    for (size_t i = 0; i < all.size(); ++i) {
      std::error_code error;
      installed.push_back(std::filesystem::is_regular_file(path_of(all[i]), error));
      used.push_back(installed[i] ? static_cast<int>(i) : stand_in(all[i]));
      files.push_back(installed[i] ? std::make_shared<const MappedFile>(path_of(all[i])) : nullptr);
    }
  }
};

const FontFiles& font_files() {
  static const FontFiles files;
  return files;
}

struct Glyph {
  int left = 0, top = 0, width = 0, height = 0;
  float advance = 0;
  std::vector<uint8_t> alpha;  ///< [height, width]
};

// A thread's own FreeType: its faces must not be shared.
class GlyphCache {
 public:
  GlyphCache() { VL3_CHECK(FT_Init_FreeType(&library_) == 0, kInternal, "FreeType cannot be started"); }
  ~GlyphCache() {
    for (const auto& [font, face] : faces_) FT_Done_Face(face);
    FT_Done_FreeType(library_);
  }
  GlyphCache(const GlyphCache&) = delete;
  GlyphCache& operator=(const GlyphCache&) = delete;

  const Glyph& glyph(const TextLook& look, char c) {
    const int font = font_files().used[static_cast<size_t>(look.font)];
    const uint64_t key = static_cast<uint64_t>(font) << 32 | static_cast<uint64_t>(look.size) << 16 |
                         static_cast<uint64_t>(look.antialias) << 9 |
                         static_cast<uint64_t>(look.hinted) << 8 | static_cast<uint8_t>(c);
    if (const auto found = glyphs_.find(key); found != glyphs_.end()) return found->second;
    if (glyphs_.size() > 20'000) glyphs_.clear();  // some 10 MB
    return glyphs_.emplace(key, render(look, font, c)).first->second;
  }

  LineMetrics metrics(const TextLook& look) {
    const FT_Face face = sized_face(font_files().used[static_cast<size_t>(look.font)], look.size);
    const auto pixels = [](FT_Pos v) { return static_cast<int>((v + 63) >> 6); };
    return {pixels(face->size->metrics.ascender) + pixels(-face->size->metrics.descender),
            pixels(face->size->metrics.ascender)};
  }

 private:
  FT_Face sized_face(int font, int size) {
    FT_Face& face = faces_[font];
    if (face == nullptr) {
      const auto& file = font_files().files[static_cast<size_t>(font)];
      VL3_CHECK(file != nullptr, kNotFound, "{}: the font is missing; install Debian's package {}",
                path_of(fonts()[static_cast<size_t>(font)]).string(),
                fonts()[static_cast<size_t>(font)].package);
      const FT_Error error = FT_New_Memory_Face(library_, reinterpret_cast<const FT_Byte*>(file->data()),
                                                static_cast<FT_Long>(file->size()), 0, &face);
      VL3_CHECK(error == 0, kCorrupt, "{}: not a font FreeType can read (error {})",
                path_of(fonts()[static_cast<size_t>(font)]).string(), error);
    }
    FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(size));
    return face;
  }

  Glyph render(const TextLook& look, int font, char c) {
    const FT_Face face = sized_face(font, look.size);
    const FT_Int32 flags =
        FT_LOAD_RENDER |
        (look.antialias ? (look.hinted ? FT_LOAD_DEFAULT : FT_LOAD_NO_HINTING) : FT_LOAD_TARGET_MONO);
    VL3_CHECK(FT_Load_Char(face, static_cast<unsigned char>(c), flags) == 0, kInternal,
              "no glyph for byte {}", static_cast<int>(static_cast<unsigned char>(c)));
    const FT_Bitmap& bitmap = face->glyph->bitmap;
    Glyph glyph{face->glyph->bitmap_left,
                face->glyph->bitmap_top,
                static_cast<int>(bitmap.width),
                static_cast<int>(bitmap.rows),
                static_cast<float>(face->glyph->advance.x) / 64,
                {}};
    glyph.alpha.resize(static_cast<size_t>(glyph.width) * static_cast<size_t>(glyph.height));
    for (int y = 0; y < glyph.height; ++y) {
      const unsigned char* row = bitmap.buffer + y * bitmap.pitch;
      for (int x = 0; x < glyph.width; ++x) {
        glyph.alpha[static_cast<size_t>(y * glyph.width + x)] =
            bitmap.pixel_mode == FT_PIXEL_MODE_MONO ? ((row[x / 8] >> (7 - x % 8) & 1) != 0 ? 255 : 0)
                                                    : row[x];
      }
    }
    return glyph;
  }

  FT_Library library_ = nullptr;
  std::unordered_map<int, FT_Face> faces_;
  std::unordered_map<uint64_t, Glyph> glyphs_;
};

GlyphCache& glyph_cache() {
  thread_local GlyphCache cache;
  return cache;
}

void blend(Canvas& canvas, int x0, int y0, const Glyph& glyph, Rgb colour) {
  for (int y = std::max(0, -y0); y < glyph.height && y0 + y < canvas.height(); ++y) {
    const uint8_t* alpha = &glyph.alpha[static_cast<size_t>(y) * static_cast<size_t>(glyph.width)];
    for (int x = std::max(0, -x0); x < glyph.width && x0 + x < canvas.width(); ++x) {
      const uint32_t a = alpha[x];
      if (a == 0) continue;
      uint32_t& pixel = canvas.at(x0 + x, y0 + y);
      const auto f = [a](uint32_t under, uint32_t over) {
        return (under * (255 - a) + over * a + 127) / 255;
      };
      pixel = f(pixel >> 16 & 255, colour.r) << 16 | f(pixel >> 8 & 255, colour.g) << 8 |
              f(pixel & 255, colour.b);
    }
  }
}

void extend(Box& box, const Box& by) {
  if (by.x1 <= by.x0 || by.y1 <= by.y0) return;
  if (box.x1 <= box.x0) {
    box = by;
    return;
  }
  box = {std::min(box.x0, by.x0), std::min(box.y0, by.y0), std::max(box.x1, by.x1), std::max(box.y1, by.y1)};
}

}  // namespace

const std::vector<Font>& fonts() {
  static const std::vector<Font> all{
      {"truetype/dejavu/DejaVuSansMono.ttf", "fonts-dejavu-core", kMono, false},
      {"truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core", kSans, false},
      {"truetype/dejavu/DejaVuSerif.ttf", "fonts-dejavu-core", kSerif, false},
      {"truetype/dejavu/DejaVuSans-Bold.ttf", "fonts-dejavu-core", kSans, true},
      {"truetype/dejavu/DejaVuSansMono-Bold.ttf", "fonts-dejavu-core", kMono, true},
      {"truetype/dejavu/DejaVuSansCondensed.ttf", "fonts-dejavu-extra", kSans, false},
      {"truetype/liberation/LiberationSans-Regular.ttf", "fonts-liberation", kSans, false},
      {"truetype/liberation/LiberationSans-Bold.ttf", "fonts-liberation", kSans, true},
      {"truetype/liberation/LiberationSerif-Regular.ttf", "fonts-liberation", kSerif, false},
      {"truetype/liberation/LiberationMono-Regular.ttf", "fonts-liberation", kMono, false},
      {"truetype/freefont/FreeSans.ttf", "fonts-freefont-ttf", kSans, false},
      {"truetype/freefont/FreeSansBold.ttf", "fonts-freefont-ttf", kSans, true},
      {"truetype/freefont/FreeSerif.ttf", "fonts-freefont-ttf", kSerif, false},
      {"truetype/freefont/FreeMonoBold.ttf", "fonts-freefont-ttf", kMono, true},
      {"truetype/open-sans/OpenSans-Regular.ttf", "fonts-open-sans", kSans, false},
      {"truetype/open-sans/OpenSans-Semibold.ttf", "fonts-open-sans", kSans, true},
      {"truetype/roboto/unhinted/RobotoTTF/Roboto-Regular.ttf", "fonts-roboto-unhinted", kSans, false},
      {"truetype/roboto/unhinted/RobotoTTF/Roboto-Bold.ttf", "fonts-roboto-unhinted", kSans, true},
      {"truetype/lato/Lato-Regular.ttf", "fonts-lato", kSans, false},
      {"truetype/crosextra/Carlito-Regular.ttf", "fonts-crosextra-carlito", kSans, false},
      {"truetype/inconsolata/Inconsolata.otf", "fonts-inconsolata", kMono, false},
      {"opentype/linux-libertine/LinLibertine_R.otf", "fonts-linuxlibertine", kSerif, false},
      {"opentype/comic-neue/ComicNeue-Regular.otf", "fonts-comic-neue", kHand, false},
      {"opentype/comic-neue/ComicNeue-Bold.otf", "fonts-comic-neue", kHand, true},
  };
  return all;
}

bool is_installed(int font) { return font_files().installed.at(static_cast<size_t>(font)); }

std::string font_fingerprint() {
  uint64_t hash = 0;
  for (size_t i = 0; i < fonts().size(); ++i) {
    if (font_files().installed[i])
      hash = hash_text(fonts()[i].file, mix(hash, font_files().files[i]->size()));
  }
  return fmt::format("{:016x}", hash);
}

int pick_font(Rng& rng) {
  // DejaVu, Liberation Sans and FreeSans are what other programs mostly print with.
  return rng.chance(0.35) ? rng.pick({1, 1, 3, 6, 10}) : rng.below(static_cast<int>(fonts().size()));
}

int pick_font(Rng& rng, FontStyle style) {
  while (true) {
    const int font = rng.below(static_cast<int>(fonts().size()));
    if (fonts()[static_cast<size_t>(font)].style == style) return font;
  }
}

LineMetrics line_metrics(const TextLook& look) { return glyph_cache().metrics(look); }

int text_width(std::string_view text, const TextLook& look) {
  if (look.pitch) return *look.pitch * static_cast<int>(text.size());
  double width = 0;
  for (const char c : text) width += glyph_cache().glyph(look, c).advance + look.tracking;
  return static_cast<int>(std::ceil(width));
}

PlacedText draw_text(Canvas& canvas, int x, int y, std::string_view text, const TextLook& look) {
  const LineMetrics line = line_metrics(look);
  cairo_surface_flush(cairo_get_target(canvas.cairo()));
  PlacedText placed;
  double pen = x;
  for (const char c : text) {
    const Glyph& glyph = glyph_cache().glyph(look, c);
    const int left = look.pitch ? static_cast<int>(pen) + (*look.pitch - glyph.width) / 2
                                : static_cast<int>(std::lround(pen)) + glyph.left;
    const int top = y + line.ascent - glyph.top;
    blend(canvas, left, top, glyph, look.colour);
    const Box box{static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + glyph.width),
                  static_cast<float>(top + glyph.height)};
    placed.chars.push_back(box);
    extend(placed.box, box);
    pen += look.pitch ? *look.pitch : glyph.advance + look.tracking;
  }
  cairo_surface_mark_dirty(cairo_get_target(canvas.cairo()));
  if (placed.box.x1 <= placed.box.x0) {
    placed.box = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(pen),
                  static_cast<float>(y + line.height)};
  }
  return placed;
}

}  // namespace vl3::synth
