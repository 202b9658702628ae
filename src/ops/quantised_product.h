// y = x W^T + b of 8-bit rows with a quantised weight: sums of whole numbers, exact in 32 bits and so the
// same on every CPU. An output is scaled and added up over its groups in one fixed order, however many rows
// there are: what a row gets does not depend on its company. Torch-free; the caller hands panels and rows to
// its threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/quantised_panels.h"
#include "ops/quantised_rows.h"

namespace vl3::ops {

struct QuantisedProduct {
  QuantisedPanels weight;
  RowsInt8 x;
  const float* bias = nullptr;  ///< [O] or null
};

/// Rows from which a product is bound by arithmetic: fewer are bound by reading the weight, and each thread
/// should walk panels in order.
inline constexpr int64_t kQuantisedManyRows = 9;

/// Bytes of scratch that a call for `rows` rows needs.
int64_t product_scratch(const QuantisedPanels& weight, int64_t rows);

/// Rows [m_begin, m_end) of the outputs of panel `panel`. Calls may run at the same time.
/// @param y        element (m, o) of the panel at (m - m_begin) * y_stride + o
/// @param scratch  of the call's own, 64-byte aligned
void product_panel(const QuantisedProduct& product, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                   int64_t y_stride, std::byte* scratch);

/// Whether the kernels take RowsInt8::wide instead of RowsInt8::values.
bool product_takes_wide();

/// What this CPU can run, best first: "VNNI" where it has AVX512-VNNI, then the names of
/// `instruction_sets()`.
std::vector<std::string> quantised_paths();
/// Tests and benchmarks run each of them; "" returns to the best one. Not while products run.
void force_quantised_path(const std::string& name);

}  // namespace vl3::ops
