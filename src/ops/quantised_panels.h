// How the numbers of a quantised weight lie in memory: panels of 64 outputs, one behind the other, each read
// once from its first byte to its last.
//
// A panel holds its groups of inputs in order (8 bits: one group). A group is
//     float32 scale[64]
//     steps of 256 bytes: four bytes of each of the 64 outputs
//         8 bits: byte j of step s = w[o][4 s + j] + 128
//         4 bits: byte j of step s = (w[o][8 s + j] + 8) | (w[o][8 s + 4 + j] + 8) << 4
// Numbers are stored from zero upwards, because the instructions multiply unsigned by signed ones; what the
// offset adds to a sum, offset * (sum of the row's inputs), is taken off again, exactly (`RowsInt8`). Outputs
// and inputs behind the last are stored as zeros. The order is the same for every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vl3::ops {

inline constexpr int64_t kPanelOutputs = 64;
inline constexpr int64_t kStepBytes = 4 * kPanelOutputs;
inline constexpr int64_t kScaleBytes = 4 * kPanelOutputs;

/// Letters: O outputs, I inputs.
struct QuantisedPanels {
  int64_t O = 0, I = 0;
  int64_t group = 0;  ///< inputs that share a scale; all of them for 8 bits
  int bits = 8;
  const std::byte* data = nullptr;

  int64_t groups() const { return I / group; }
  int64_t offset() const { return bits == 8 ? 128 : 8; }
  int64_t group_bytes() const {
    const int64_t of_a_step = bits == 8 ? 4 : 8;
    return kScaleBytes + (group + of_a_step - 1) / of_a_step * kStepBytes;
  }
  int64_t panels() const { return (O + kPanelOutputs - 1) / kPanelOutputs; }
  int64_t panel_bytes() const { return groups() * group_bytes(); }
  int64_t bytes() const { return panels() * panel_bytes(); }
  /// Outputs of a panel: 64, or fewer in the last one.
  int64_t width(int64_t panel) const {
    const int64_t left = O - panel * kPanelOutputs;
    return left < kPanelOutputs ? left : kPanelOutputs;
  }
};

/// Writes panel `panel`. @param values  [O, I], -128..127 or -8..7.  @param scale  [O, groups].
void pack_panel(const QuantisedPanels& panels, const int8_t* values, const float* scale, int64_t panel,
                std::byte* to);

/// Row o of the weight: values * scale, [I].
void unpack_row(const QuantisedPanels& panels, int64_t o, float* to);

}  // namespace vl3::ops
