// quantised_product.h for CPUs with AVX512-VNNI, whose `vpdpbusd` adds four products of unsigned with signed
// bytes to each 32-bit sum. Torch-free.
#pragma once

#include <cstdint>

#include "ops/quantised_product.h"

namespace vl3::ops {

bool cpu_has_avx512_vnni();

int64_t product_vnni_scratch(const QuantisedPanels& weight, int64_t rows);
/// As `product_panel`; takes RowsInt8::values.
void product_vnni(const QuantisedProduct& product, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                  int64_t y_stride, std::byte* scratch);

}  // namespace vl3::ops
