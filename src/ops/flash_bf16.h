// Attention of many queries on AVX512-BF16 CPUs: keys are walked in blocks with a running maximum, so scores
// never leave the cache. Products take bfloat16 and sum in float32; the softmax is float32. Torch-free; the
// caller hands out the pieces to its threads.
//
// Letters: H query heads, KV key/value heads, S queries, L keys, d head dim.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// Packed keys and values of one head: what flash_bf16_queries() reads.
struct FlashKeys {
  const uint32_t* keys = nullptr;
  const uint32_t* values = nullptr;
  int64_t L = 0;
};

/// uint32 elements that the packed keys, and the packed values, of one head take.
int64_t flash_keys_size(int64_t L, int64_t d);
int64_t flash_values_size(int64_t L, int64_t d);

/// Packs one head. T: float or uint16_t (bfloat16). @param k, v  rows of length d, `stride` elements apart.
/// @param keys, values  of flash_keys_size() and flash_values_size().
template <typename T>
void flash_pack_keys(const T* k, int64_t stride, int64_t L, int64_t d, uint32_t* keys);
template <typename T>
void flash_pack_values(const T* v, int64_t stride, int64_t L, int64_t d, uint32_t* values);

/// Queries that one call takes at most.
inline constexpr int64_t kFlashQueries = 24;
/// The largest head dim.
inline constexpr int64_t kFlashDim = 128;

/// out[i] = softmax(scale q[i] K^T) V over the keys that query i sees.
/// @param q  [rows, d] float32, q_stride apart; rows <= kFlashQueries.
/// @param out  [rows, d] float32, out_stride apart.
/// @param visible  keys that query 0 sees; query i sees i more if `causal`.
void flash_bf16_queries(const FlashKeys& head, const float* q, int64_t q_stride, int64_t rows, int64_t d,
                        float scale, int64_t visible, bool causal, float* out, int64_t out_stride);

}  // namespace vl3::ops
