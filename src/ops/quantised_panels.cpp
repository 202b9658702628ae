#include "ops/quantised_panels.h"

#include <algorithm>
#include <cstring>

namespace vl3::ops {
namespace {

// Four bytes of output o, inputs i..i+3 of `end`; zeros behind.
uint32_t four(const int8_t* values, int64_t i, int64_t end) {
  uint32_t bytes = 0;
  if (i < end) std::memcpy(&bytes, values + i, static_cast<size_t>(std::min<int64_t>(4, end - i)));
  return bytes;
}

void pack_group(const QuantisedPanels& p, const int8_t* values, int64_t width, int64_t first, std::byte* to) {
  const int64_t end = first + p.group, steps = (p.group_bytes() - kScaleBytes) / kStepBytes;
  for (int64_t s = 0; s < steps; ++s, to += kStepBytes) {
    for (int64_t o = 0; o < kPanelOutputs; ++o) {
      uint32_t bytes = p.bits == 8 ? 0x80808080u : 0x88888888u;
      if (o < width) {
        const int8_t* row = values + o * p.I;
        if (p.bits == 8) {
          bytes = four(row, first + 4 * s, end) ^ 0x80808080u;
        } else {
          const uint32_t low = four(row, first + 8 * s, end), high = four(row, first + 8 * s + 4, end);
          bytes = ((low & 0x0f0f0f0fu) | (high & 0x0f0f0f0fu) << 4) ^ 0x88888888u;
        }
      }
      std::memcpy(to + 4 * o, &bytes, sizeof(bytes));
    }
  }
}

}  // namespace

void pack_panel(const QuantisedPanels& p, const int8_t* values, const float* scale, int64_t panel,
                std::byte* to) {
  const int64_t first = panel * kPanelOutputs, width = p.width(panel);
  for (int64_t g = 0; g < p.groups(); ++g) {
    std::byte* group = to + panel * p.panel_bytes() + g * p.group_bytes();
    float scales[kPanelOutputs] = {};
    for (int64_t o = 0; o < width; ++o) scales[o] = scale[(first + o) * p.groups() + g];
    std::memcpy(group, scales, sizeof(scales));
    pack_group(p, values + first * p.I, width, g * p.group, group + kScaleBytes);
  }
}

void unpack_row(const QuantisedPanels& p, int64_t o, float* to) {
  const std::byte* panel = p.data + o / kPanelOutputs * p.panel_bytes();
  const int64_t lane = o % kPanelOutputs;
  for (int64_t g = 0; g < p.groups(); ++g, to += p.group) {
    const std::byte* group = panel + g * p.group_bytes();
    float scale;
    std::memcpy(&scale, group + 4 * lane, sizeof(scale));
    const auto* bytes = reinterpret_cast<const uint8_t*>(group) + kScaleBytes + 4 * lane;
    if (p.bits == 8) {
      for (int64_t i = 0; i < p.group; ++i)
        to[i] = static_cast<float>(bytes[i / 4 * kStepBytes + i % 4] - 128) * scale;
    } else {
      for (int64_t i = 0; i < p.group; i += 8) {
        for (int64_t j = 0; j < 4; ++j) {
          const int pair = bytes[i / 8 * kStepBytes + j];
          to[i + j] = static_cast<float>((pair & 15) - 8) * scale;
          to[i + 4 + j] = static_cast<float>((pair >> 4) - 8) * scale;
        }
      }
    }
  }
}

}  // namespace vl3::ops
