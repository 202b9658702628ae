#include "synth/canvas.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::synth {

Canvas::Canvas(int width, int height)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width) * static_cast<size_t>(height)) {
  // Rows of 32-bit pixels without padding are what Cairo wants for any width.
  surface_ = cairo_image_surface_create_for_data(reinterpret_cast<unsigned char*>(pixels_.data()),
                                                 CAIRO_FORMAT_RGB24, width, height, width * 4);
  cairo_ = cairo_create(surface_);
  VL3_CHECK(cairo_status(cairo_) == CAIRO_STATUS_SUCCESS, kResourceExhausted, "no canvas of {}x{}: {}", width,
            height, cairo_status_to_string(cairo_status(cairo_)));
}

Canvas::Canvas(const Canvas& other) : Canvas(other.width_, other.height_) {
  std::copy(other.pixels_.begin(), other.pixels_.end(), pixels_.begin());
}

Canvas::~Canvas() {
  cairo_destroy(cairo_);
  cairo_surface_destroy(surface_);
}

void Canvas::set_antialias(bool on) {
  cairo_set_antialias(cairo_, on ? CAIRO_ANTIALIAS_DEFAULT : CAIRO_ANTIALIAS_NONE);
}

void Canvas::set_colour(Rgb colour, double alpha) {
  cairo_set_source_rgba(cairo_, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0, alpha);
}

void Canvas::fill_rectangle(double x, double y, double width, double height, Rgb colour) {
  set_colour(colour);
  cairo_rectangle(cairo_, x, y, width, height);
  cairo_fill(cairo_);
}

void Canvas::stroke_rectangle(double x, double y, double width, double height, Rgb colour, double thickness) {
  set_colour(colour);
  cairo_set_line_width(cairo_, thickness);
  cairo_rectangle(cairo_, x, y, width, height);
  cairo_stroke(cairo_);
}

void Canvas::line(double x0, double y0, double x1, double y1, Rgb colour, double thickness) {
  set_colour(colour);
  cairo_set_line_width(cairo_, thickness);
  cairo_move_to(cairo_, x0, y0);
  cairo_line_to(cairo_, x1, y1);
  cairo_stroke(cairo_);
}

media::Frame Canvas::to_frame(double pts_s) const {
  media::Frame frame;
  frame.width = width_;
  frame.height = height_;
  frame.pts_s = pts_s;
  frame.rgb.resize(pixels_.size() * 3);
  uint8_t* out = frame.rgb.data();
  for (const uint32_t pixel : pixels_) {
    *out++ = static_cast<uint8_t>(pixel >> 16);
    *out++ = static_cast<uint8_t>(pixel >> 8);
    *out++ = static_cast<uint8_t>(pixel);
  }
  return frame;
}

Rgb Canvas::mean_colour(const Box& box) const {
  const int x0 = std::clamp(static_cast<int>(box.x0), 0, width_ - 1),
            x1 = std::clamp(static_cast<int>(box.x1), x0 + 1, width_);
  const int y0 = std::clamp(static_cast<int>(box.y0), 0, height_ - 1),
            y1 = std::clamp(static_cast<int>(box.y1), y0 + 1, height_);
  uint64_t r = 0, g = 0, b = 0, n = 0;
  for (int y = y0; y < y1; y += 2) {
    for (int x = x0; x < x1; x += 2, ++n) {
      const uint32_t p =
          pixels_[static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)];
      r += p >> 16 & 255, g += p >> 8 & 255, b += p & 255;
    }
  }
  return {static_cast<uint8_t>(r / n), static_cast<uint8_t>(g / n), static_cast<uint8_t>(b / n)};
}

namespace {

constexpr double kPi = 3.141592653589793;

// Points of a regular polygon, or a star where inner differs from 1; the first on top.
void polygon(cairo_t* cairo, int points, double radius, double inner) {
  const int corners = inner < 1 ? points * 2 : points;
  for (int i = 0; i < corners; ++i) {
    const double r = inner < 1 && i % 2 == 1 ? radius * inner : radius, a = 2 * kPi * i / corners - kPi / 2;
    cairo_line_to(cairo, r * std::cos(a), r * std::sin(a));
  }
  cairo_close_path(cairo);
}

void heart(cairo_t* cairo, double s) {  // s: half the size
  cairo_move_to(cairo, 0, 0.95 * s);
  cairo_curve_to(cairo, -0.55 * s, 0.45 * s, -1.05 * s, 0.1 * s, -1.0 * s, -0.4 * s);
  cairo_curve_to(cairo, -0.95 * s, -0.95 * s, -0.25 * s, -1.05 * s, 0, -0.5 * s);
  cairo_curve_to(cairo, 0.25 * s, -1.05 * s, 0.95 * s, -0.95 * s, 1.0 * s, -0.4 * s);
  cairo_curve_to(cairo, 1.05 * s, 0.1 * s, 0.55 * s, 0.45 * s, 0, 0.95 * s);
  cairo_close_path(cairo);
}

void add_path(cairo_t* cairo, Shape shape, const ShapeLook& look) {
  const double r = look.size / 2;
  switch (shape) {
    case Shape::kCircle:
      cairo_arc(cairo, 0, 0, r, 0, 2 * kPi);
      break;
    case Shape::kSquare:
      cairo_rectangle(cairo, -0.88 * r, -0.88 * r, 1.76 * r, 1.76 * r);
      break;
    case Shape::kTriangle:
      polygon(cairo, 3, r, 1);
      break;
    case Shape::kPentagon:
      polygon(cairo, 5, r, 1);
      break;
    case Shape::kStar:
      polygon(cairo, look.star_points, r, look.star_depth);
      break;
    case Shape::kHeart:
      heart(cairo, r);
      break;
    case Shape::kRectangle: {
      const double half_long = r, half_short = r / look.aspect;
      if (look.upright)
        cairo_rectangle(cairo, -half_short, -half_long, 2 * half_short, 2 * half_long);
      else
        cairo_rectangle(cairo, -half_long, -half_short, 2 * half_long, 2 * half_short);
      break;
    }
    case Shape::kCross: {
      const double w = look.size * look.bar_share / 2;
      const double corners[12][2] = {{-w, -r}, {w, -r}, {w, -w}, {r, -w}, {r, w},   {w, w},
                                     {w, r},   {-w, r}, {-w, w}, {-r, w}, {-r, -w}, {-w, -w}};
      for (const auto& corner : corners) cairo_line_to(cairo, corner[0], corner[1]);
      cairo_close_path(cairo);
      break;
    }
  }
}

Rgb lighter(Rgb c, double by) {
  const auto f = [by](uint8_t v) { return static_cast<uint8_t>(std::clamp(v + by, 0.0, 255.0)); };
  return {f(c.r), f(c.g), f(c.b)};
}

}  // namespace

ShapeLook pick_look(Rng& rng, Shape shape, double centre_x, double centre_y, double size, Rgb colour,
                    double variety) {
  ShapeLook look;
  look.centre_x = centre_x;
  look.centre_y = centre_y;
  look.size = size;
  look.colour = colour;
  look.antialias = !rng.chance(0.25);
  look.aspect = rng.real(1.6, 2.6);
  look.upright = rng.chance(0.4);
  look.bar_share = rng.real(0.24, 0.4);
  look.star_depth = rng.real(0.36, 0.5);
  if (rng.chance(0.6)) look.star_depth = 0.382;  // of the drawn-in-one-stroke star
  if (rng.chance(0.12 * variety)) look.star_points = rng.pick({4, 6});
  // A square that is turned far would be called a diamond.
  const bool straight = rng.chance(1 - 0.5 * variety);
  if (!straight) {
    const double most = shape == Shape::kSquare || shape == Shape::kRectangle ? 0.2
                        : shape == Shape::kHeart                              ? 0.3
                                                                              : 0.6;
    look.angle = rng.real(-most, most);
  }
  if (shape == Shape::kTriangle && rng.chance(0.15 * variety)) look.angle += kPi;
  if (shape == Shape::kCross && rng.chance(0.3 * variety)) look.angle += kPi / 4;
  const double roll = rng.real();
  if (roll < 0.12 * variety)
    look.fill = ShapeLook::Fill::kGradient;
  else if (roll < 0.22 * variety && size >= 24)
    look.fill = ShapeLook::Fill::kOutline;
  else if (roll < 0.26 * variety && size >= 32)
    look.fill = ShapeLook::Fill::kHatched;
  look.thickness = std::max(2.0, size * rng.real(0.07, 0.14));
  if (shape == Shape::kCross && look.fill == ShapeLook::Fill::kOutline)
    look.thickness = std::min(look.thickness, size * 0.07);
  if (look.fill != ShapeLook::Fill::kOutline && rng.chance(0.25 * variety)) {
    look.border = true;
    look.thickness = rng.real(1.0, std::max(1.5, size * 0.05));
    look.border_colour = rng.chance(0.7) ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
  }
  return look;
}

Box draw_shape(Canvas& canvas, Shape shape, const ShapeLook& look) {
  cairo_t* cairo = canvas.cairo();
  cairo_save(cairo);
  canvas.set_antialias(look.antialias);
  cairo_translate(cairo, look.centre_x, look.centre_y);
  if (look.angle != 0) cairo_rotate(cairo, look.angle);
  cairo_new_path(cairo);
  add_path(cairo, shape, look);
  cairo_identity_matrix(cairo);
  double x0, y0, x1, y1;
  cairo_path_extents(cairo, &x0, &y0, &x1, &y1);
  cairo_set_line_join(cairo, shape == Shape::kStar ? CAIRO_LINE_JOIN_MITER : CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_width(cairo, look.thickness);
  canvas.set_colour(look.colour);
  switch (look.fill) {
    case ShapeLook::Fill::kOutline:
      cairo_stroke_preserve(cairo);
      break;
    case ShapeLook::Fill::kGradient: {
      cairo_pattern_t* shade = cairo_pattern_create_linear(x0, y0, x1, y1);
      const Rgb a = lighter(look.colour, 22), b = lighter(look.colour, -22);
      cairo_pattern_add_color_stop_rgb(shade, 0, a.r / 255.0, a.g / 255.0, a.b / 255.0);
      cairo_pattern_add_color_stop_rgb(shade, 1, b.r / 255.0, b.g / 255.0, b.b / 255.0);
      cairo_set_source(cairo, shade);
      cairo_fill_preserve(cairo);
      cairo_pattern_destroy(shade);
      break;
    }
    case ShapeLook::Fill::kHatched: {
      cairo_fill_preserve(cairo);
      cairo_path_t* path = cairo_copy_path(cairo);
      cairo_save(cairo);
      cairo_clip(cairo);
      canvas.set_colour(lighter(look.colour, look.colour.r + look.colour.g + look.colour.b > 380 ? -45 : 45));
      cairo_set_line_width(cairo, 1.5);
      for (double x = x0 - (y1 - y0); x < x1; x += 6) {
        cairo_move_to(cairo, x, y1);
        cairo_line_to(cairo, x + (y1 - y0), y0);
      }
      cairo_stroke(cairo);
      cairo_restore(cairo);
      cairo_append_path(cairo, path);
      cairo_path_destroy(path);
      cairo_set_line_width(cairo, look.thickness);
      break;
    }
    case ShapeLook::Fill::kSolid:
      cairo_fill_preserve(cairo);
      break;
  }
  if (look.border) {
    canvas.set_colour(look.border_colour);
    cairo_stroke_preserve(cairo);
  }
  cairo_new_path(cairo);
  cairo_restore(cairo);
  const double margin = look.border || look.fill == ShapeLook::Fill::kOutline ? look.thickness / 2 : 0;
  return {static_cast<float>(std::max(0.0, x0 - margin)), static_cast<float>(std::max(0.0, y0 - margin)),
          static_cast<float>(std::min<double>(canvas.width(), x1 + margin)),
          static_cast<float>(std::min<double>(canvas.height(), y1 + margin))};
}

}  // namespace vl3::synth
