// Attention of a few queries over one head's cached keys and values, read once. Torch-free; written with
// Highway.
#pragma once

#include <cstdint>

namespace vl3::ops {

/// Partial result of a range of keys: sum of exp(score - max) * value, to be merged by `merge_partials`.
struct AttentionPartial {
  float max;
  float sum;
};

/// One KV head, keys [begin, end): for each of `rows` queries the partial softmax and its weighted values.
/// @param q      [rows, d] already scaled.
/// @param k,v    element (key, dim) at key * d + dim, bfloat16 bit patterns or float32.
/// @param last   [rows] number of keys each query may see (causal).
/// @param out    [rows, d] weighted values (not yet divided by the sum).
void attend_range(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows,
                  int64_t begin, int64_t end, const int64_t* last, AttentionPartial* partial, float* out);
void attend_range(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                  int64_t end, const int64_t* last, AttentionPartial* partial, float* out);
/// Of 8 bits (rounded_heads.h). @param k_scale,v_scale  a number a key, key 0 first.
void attend_range(const float* q, const int8_t* k, const int8_t* v, const float* k_scale,
                  const float* v_scale, int64_t d, int64_t rows, int64_t begin, int64_t end,
                  const int64_t* last, AttentionPartial* partial, float* out);

/// Merges `parts` partial results of one query: partial[p * stride], values[p * value_stride + dim] -> out
/// [d].
void merge_partials(const AttentionPartial* partial, const float* values, int64_t parts, int64_t stride,
                    int64_t value_stride, int64_t d, float* out);

}  // namespace vl3::ops
