// Inner loops of resize_bicubic(): exact integer sums, in a form for AVX2 and in one for any CPU; both give
// the same bytes. Internal to preprocess/.
#pragma once

#include <cstdint>

#include "preprocess/bicubic_weights.h"

namespace vl3::preprocess {

/// Rows filtered together by the horizontal pass: lane l of a vector belongs to row l.
inline constexpr int64_t kRowLanes = 16;

/// rows: kRowLanes pointers to uint8 [bytes] → columns: uint8 [bytes, kRowLanes].
void rows_to_columns(const uint8_t* const* rows, int64_t bytes, uint8_t* columns);
/// The way back.
void columns_to_rows(const uint8_t* columns, int64_t bytes, uint8_t* const* rows);

struct ResizeKernels {
  /// columns: uint8 [in, 3, kRowLanes] → filtered: uint8 [out, 3, kRowLanes].
  void (*filter_columns)(const uint8_t* columns, const BicubicWeights& table, uint8_t* filtered);
  /// `count` rows of uint8 [bytes], weighted → out: uint8 [bytes].
  void (*filter_rows)(const uint8_t* const* rows, const int32_t* weights, int64_t count, int64_t bytes,
                      uint8_t* out);
};

/// The fastest set this CPU runs.
const ResizeKernels& resize_kernels();
/// The set that needs no CPU feature.
const ResizeKernels& portable_resize_kernels();

}  // namespace vl3::preprocess
