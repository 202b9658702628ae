#include "ops/quantised_panels.h"

#include <algorithm>
#include <cstring>

namespace vl3::ops {
namespace {

// Steps that are written together: of each output they read a cache line.
constexpr int64_t kBlock = 16;

uint32_t load(const int8_t* from) {
  uint32_t bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

// Four bytes of one output and, of 4-bit numbers, the four behind them.
uint32_t packed(const int8_t* values, int bits) {
  if (bits == 8) return load(values) ^ 0x80808080u;
  return ((load(values) & 0x0f0f0f0fu) | (load(values + 4) & 0x0f0f0f0fu) << 4) ^ 0x88888888u;
}

// Inputs [first, first + group) of `width` outputs. Where a step has fewer inputs than it holds, zeros
// follow.
template <int kBits>
void pack_group(const QuantisedPanels& p, const int8_t* values, int64_t width, std::byte* to) {
  constexpr int64_t kInputs = kBits == 8 ? 4 : 8;
  const int64_t whole = p.group / kInputs, steps = (p.group + kInputs - 1) / kInputs;
  for (int64_t s = 0; s < steps; s += kBlock) {
    const int64_t end = std::min(steps, s + kBlock), whole_end = std::min(whole, end);
    for (int64_t o = 0; o < kPanelOutputs; ++o) {
      std::byte* at = to + s * kStepBytes + 4 * o;
      const auto put = [&](uint32_t bytes) {
        std::memcpy(at, &bytes, sizeof(bytes));
        at += kStepBytes;
      };
      constexpr uint32_t kZeros = kBits == 8 ? 0x80808080u : 0x88888888u;
      int64_t i = s;
      if (o < width) {
        for (; i < whole_end; ++i) put(packed(values + o * p.I + i * kInputs, kBits));
        if (i < end) {
          int8_t rest[kInputs] = {};
          std::memcpy(rest, values + o * p.I + i * kInputs, static_cast<size_t>(p.group - i * kInputs));
          put(packed(rest, kBits));
          ++i;
        }
      }
      for (; i < end; ++i) put(kZeros);
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
    const auto pack = p.bits == 8 ? pack_group<8> : pack_group<4>;
    pack(p, values + first * p.I + g * p.group, width, group + kScaleBytes);
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
