#include "synth/background.h"

#include <algorithm>
#include <cmath>

namespace vl3::synth {
namespace {

uint32_t packed(Rgb c) { return static_cast<uint32_t>(c.r) << 16 | static_cast<uint32_t>(c.g) << 8 | c.b; }

Rgb blend(Rgb a, Rgb b, double t) {
  const auto f = [t](uint8_t x, uint8_t y) { return static_cast<uint8_t>(std::lround(x + (y - x) * t)); };
  return {f(a.r, b.r), f(a.g, b.g), f(a.b, b.b)};
}

Rgb neutral(Rng& rng) {
  const int v = rng.chance(0.7)   ? rng.between(200, 255)
                : rng.chance(0.5) ? rng.between(0, 60)
                                  : rng.between(60, 200);
  const auto f = [&] { return static_cast<uint8_t>(std::clamp(v + rng.between(-12, 12), 0, 255)); };
  const uint8_t r = f(), g = f(), b = f();
  return {r, g, b};
}

Rgb pastel(Rng& rng) {
  const auto f = [&] { return static_cast<uint8_t>(rng.between(175, 255)); };
  const uint8_t r = f(), g = f(), b = f();
  return {r, g, b};
}

Rgb quiet_colour(Rng& rng) {
  if (rng.chance(0.45)) return neutral(rng);
  if (rng.chance(0.6)) return pastel(rng);
  return blend(shade_of(static_cast<Colour>(rng.below(kColours)), rng), neutral(rng), rng.real(0.3, 0.7));
}

Rgb near_by(Rgb c, Rng& rng, int most) {
  const auto f = [&](uint8_t v) {
    return static_cast<uint8_t>(std::clamp(v + rng.between(-most, most), 0, 255));
  };
  const uint8_t r = f(c.r), g = f(c.g), b = f(c.b);
  return {r, g, b};
}

void fill(Canvas& canvas, Rgb colour) {
  std::fill_n(canvas.pixels(), canvas.width() * canvas.height(), packed(colour));
}

void gradient(Canvas& canvas, Rng& rng, Rgb a, Rgb b) {
  const double angle = rng.real(0, 6.2832), dx = std::cos(angle), dy = std::sin(angle);
  const double span = std::abs(dx) * canvas.width() + std::abs(dy) * canvas.height();
  const double start = (dx < 0 ? dx * canvas.width() : 0) + (dy < 0 ? dy * canvas.height() : 0);
  uint32_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = packed(blend(a, b, i / 255.0));
  const float step = static_cast<float>(dx / span * 255);
  for (int y = 0; y < canvas.height(); ++y) {
    float t = static_cast<float>((y * dy - start) / span * 255);
    for (int x = 0; x < canvas.width(); ++x, t += step)
      canvas.at(x, y) = table[std::clamp(static_cast<int>(t), 0, 255)];
  }
}

// Smooth noise: a coarse random grid, enlarged bilinearly, added to what is there. amplitude in grey levels.
void add_blobs(Canvas& canvas, Rng& rng, int cell, int amplitude, bool coloured) {
  const int columns = canvas.width() / cell + 2, rows = canvas.height() / cell + 2;
  std::vector<int> grid(static_cast<size_t>(columns * rows * 3));
  for (int i = 0; i < columns * rows; ++i) {
    const int grey = rng.between(-amplitude, amplitude);
    for (int c = 0; c < 3; ++c)
      grid[static_cast<size_t>(i * 3 + c)] = coloured ? rng.between(-amplitude, amplitude) : grey;
  }
  for (int y = 0; y < canvas.height(); ++y) {
    const int row = y / cell, fy = (y % cell) * 256 / cell;
    for (int x = 0; x < canvas.width(); ++x) {
      const int column = x / cell, fx = (x % cell) * 256 / cell;
      const int* top = &grid[static_cast<size_t>((row * columns + column) * 3)];
      const int* bottom = top + columns * 3;
      uint32_t& pixel = canvas.at(x, y);
      uint32_t result = 0;
      for (int c = 0; c < 3; ++c) {
        const int high = top[c] * (256 - fx) + top[c + 3] * fx,
                  low = bottom[c] * (256 - fx) + bottom[c + 3] * fx;
        const int by = (high * (256 - fy) + low * fy) / 65536;
        const int value = std::clamp(static_cast<int>(pixel >> (16 - 8 * c) & 255) + by, 0, 255);
        result = result << 8 | static_cast<uint32_t>(value);
      }
      pixel = result;
    }
  }
}

void add_grain(Canvas& canvas, Rng& rng, int amplitude) {
  uint64_t bits = 0;
  for (int i = 0; i < canvas.width() * canvas.height(); ++i) {
    if (i % 4 == 0) bits = rng.next();
    const int by =
        static_cast<int>((bits & 0xffff) * static_cast<uint64_t>(2 * amplitude + 1) >> 16) - amplitude;
    bits >>= 16;
    uint32_t& pixel = canvas.pixels()[i];
    const auto f = [&](int at) {
      return static_cast<uint32_t>(std::clamp(static_cast<int>(pixel >> at & 255) + by, 0, 255)) << at;
    };
    pixel = f(16) | f(8) | f(0);
  }
}

void pattern(Canvas& canvas, Rng& rng, Rgb a, Rgb b) {
  const int period = rng.between(6, 36), kind = rng.below(4);
  const uint32_t first = packed(a), second = packed(b);
  const int thin = rng.between(1, std::max(1, period / 3));
  for (int y = 0; y < canvas.height(); ++y) {
    for (int x = 0; x < canvas.width(); ++x) {
      bool on = false;
      switch (kind) {
        case 0:
          on = (x / period + y / period) % 2 == 0;
          break;  // checks
        case 1:
          on = (y % (2 * period)) < period;
          break;  // stripes
        case 2:
          on = (x % period) < thin || (y % period) < thin;
          break;    // squared paper
        default: {  // dots
          const int dx = x % period - period / 2, dy = y % period - period / 2;
          on = dx * dx + dy * dy < period * period / 16;
        }
      }
      canvas.at(x, y) = on ? second : first;
    }
  }
}

}  // namespace

bool stands_out(Rgb colour, const Background& background, double least) {
  return std::all_of(background.tones.begin(), background.tones.end(),
                     [&](Rgb tone) { return distance(colour, tone) >= least; });
}

Background paint_background(Canvas& canvas, Rng& rng, int level) {
  Background background;
  const auto plain = [&](Colour colour, Rgb rgb) {
    fill(canvas, rgb);
    background.name = name_of(colour);
    background.tones = {rgb};
    return background;
  };
  if (level <= 0) return plain(Colour::kWhite, {255, 255, 255});
  const double roll = rng.real();
  const double plain_share = level == 1 ? 1.0 : level == 2 ? 0.7 : 0.5;
  if (roll < plain_share) {
    const double which = rng.real();
    if (which < 0.4) return plain(Colour::kWhite, {255, 255, 255});
    if (which < 0.52) return plain(Colour::kBlack, {0, 0, 0});
    if (which < 0.6) return plain(Colour::kGray, shade_of(Colour::kGray, rng, 0.5));
    if (which < 0.75) {
      const auto colour = static_cast<Colour>(rng.below(kColours));
      return plain(colour, shade_of(colour, rng, 0.5));
    }
    const Rgb rgb = quiet_colour(rng);
    fill(canvas, rgb);
    background.tones = {rgb};
    return background;
  }
  const Rgb base = quiet_colour(rng);
  const int choice = level == 2 ? 0 : rng.below(level == 3 ? 3 : 4);
  if (choice == 0) {
    const Rgb other = rng.chance(0.6) ? near_by(base, rng, 60) : quiet_colour(rng);
    gradient(canvas, rng, base, other);
    background.tones = {base, blend(base, other, 0.5), other};
  } else if (choice == 1) {
    fill(canvas, base);
    background.tones = {base};
    add_grain(canvas, rng, rng.between(3, 25));
  } else if (choice == 2) {
    const Rgb other = near_by(base, rng, rng.between(10, 50));
    pattern(canvas, rng, base, other);
    background.tones = {base, other};
  } else {
    const Rgb other = near_by(base, rng, 50);
    gradient(canvas, rng, base, other);
    background.tones = {base, other};
    const int amplitude = rng.between(10, 45);
    add_blobs(canvas, rng, rng.between(16, 64), amplitude, true);
    if (rng.chance(0.7)) add_blobs(canvas, rng, rng.between(5, 12), amplitude / 2, false);
    if (rng.chance(0.5)) add_grain(canvas, rng, rng.between(2, 10));
    for (const Rgb tone : {base, other}) {
      for (const int by : {-amplitude, amplitude}) {
        const auto f = [by](uint8_t v) { return static_cast<uint8_t>(std::clamp(v + by, 0, 255)); };
        background.tones.push_back({f(tone.r), f(tone.g), f(tone.b)});
      }
    }
  }
  return background;
}

}  // namespace vl3::synth
