// quantised_product.h for CPUs without AVX512-VNNI: bytes widened to 16 bits, whose products in pairs
// (`pmaddwd`) add up without overflow. Torch-free; written with Highway, which compiles it for AVX-512, AVX2,
// NEON, …
#pragma once

#include <cstdint>

#include "ops/quantised_product.h"

namespace vl3::ops {

int64_t product_wide_scratch(const QuantisedPanels& weight, int64_t rows);
/// As `product_panel`; takes RowsInt8::wide.
void product_wide(const QuantisedProduct& product, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                  int64_t y_stride, std::byte* scratch);

}  // namespace vl3::ops
