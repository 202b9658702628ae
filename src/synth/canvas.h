// A picture being drawn: Cairo for lines and areas, plain loops for pixels. One thread a canvas.
#pragma once

#include <cairo.h>

#include <cstdint>
#include <vector>

#include "media/frame.h"
#include "synth/sample.h"
#include "synth/vocabulary.h"

namespace vl3::synth {

class Canvas {
 public:
  Canvas(int width, int height);
  ~Canvas();
  Canvas(const Canvas& other);
  Canvas& operator=(const Canvas&) = delete;

  int width() const { return width_; }
  int height() const { return height_; }
  /// For drawing; what was written to pixels() before is seen.
  cairo_t* cairo() { return cairo_; }
  /// [height, width] of 0x00RRGGBB.
  uint32_t* pixels() { return pixels_.data(); }
  const uint32_t* pixels() const { return pixels_.data(); }
  uint32_t& at(int x, int y) {
    return pixels_[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
  }

  void set_antialias(bool on);
  void set_colour(Rgb colour, double alpha = 1);
  void fill_rectangle(double x, double y, double width, double height, Rgb colour);
  void stroke_rectangle(double x, double y, double width, double height, Rgb colour, double thickness);
  void line(double x0, double y0, double x1, double y1, Rgb colour, double thickness);

  media::Frame to_frame(double pts_s = 0) const;
  /// Mean colour of a region (clipped), for contrast.
  Rgb mean_colour(const Box& box) const;

 private:
  int width_, height_;
  std::vector<uint32_t> pixels_;
  cairo_surface_t* surface_ = nullptr;
  cairo_t* cairo_ = nullptr;
};

/// Looks of one drawn shape. Size is the diameter of the circle it fits in (a heart or square about fills
/// it).
struct ShapeLook {
  double centre_x = 0, centre_y = 0, size = 20;
  double angle = 0;      ///< radians
  double aspect = 2;     ///< rectangles: long side over short one
  bool upright = false;  ///< rectangles: taller than wide
  int star_points = 5;
  double star_depth = 0.42;  ///< inner over outer radius
  double bar_share = 0.36;   ///< crosses: width of a bar over the size
  enum class Fill { kSolid, kGradient, kHatched, kOutline } fill = Fill::kSolid;
  double thickness = 3;  ///< of an outline, or of the border
  Rgb colour;
  bool border = false;
  Rgb border_colour;
  bool antialias = true;
};

/// A look for a shape of this size at this place, varied; `variety` 0 (plain and filled) … 1.
ShapeLook pick_look(Rng& rng, Shape shape, double centre_x, double centre_y, double size, Rgb colour,
                    double variety);

/// @return what it covers
Box draw_shape(Canvas& canvas, Shape shape, const ShapeLook& look);

}  // namespace vl3::synth
