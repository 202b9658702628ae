// Causal attention of rows whose keys and values lie in pages. The partial results of pages are joined in
// their order, one after the other, so a row's result does not depend on what else is computed. Torch-free.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// One layer's keys and values: page p of KV head h begins at element (p * KV + h) * page_rows * d.
/// Rows that were never written must hold finite numbers.
struct PagedKeys {
  const void* k;
  const void* v;
  bool bf16;  ///< bfloat16 bit patterns, else float32
  int64_t KV, page_rows, d;
};

/// Rows [begin, end) of one sequence, one KV head with its G = H / KV query heads.
/// @param pages  of the sequence, in order.
/// @param first  position of row 0; row s sees the keys of positions 0..first + s.
/// @param q      [rows, H, d]  @param out  [rows, H, d], written.
void paged_attention(const PagedKeys& keys, const int32_t* pages, int64_t first, const float* q, int64_t H,
                     int64_t head, int64_t begin, int64_t end, float scale, float* out);

}  // namespace vl3::ops
