// Causal attention of rows whose keys and values lie in pages. The partial results of pages are joined in
// their order, one after the other, so a row's result does not depend on what else is computed. Torch-free.
#pragma once

#include <cstdint>

namespace vl3::ops {

enum class CacheType {
  kFloat32,
  kBfloat16,  ///< bit patterns
  kInt8,      ///< with a scale a head and position
};

/// One layer's keys and values: page p of KV head h begins at element (p * KV + h) * page_rows * d, its
/// scales at (p * KV + h) * page_rows. Rows that were never written must hold finite numbers.
struct PagedKeys {
  CacheType type;
  const void* k;
  const void* v;
  const float* k_scale;  ///< of kInt8
  const float* v_scale;
  int64_t KV, page_rows, d;
};

/// Rows [begin, end) of one sequence, one KV head with its G = H / KV query heads.
/// @param pages  of the sequence, in order.
/// @param first  position of row 0; row s sees the keys of positions 0..first + s.
/// @param q      [rows, H, d]  @param out  [rows, H, d], written.
void paged_attention(const PagedKeys& keys, const int32_t* pages, int64_t first, const float* q, int64_t H,
                     int64_t head, int64_t begin, int64_t end, float scale, float* out);

}  // namespace vl3::ops
