#include "ops/decode_attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

// The loops are plain; the compiler makes one copy for each instruction set and picks at run time.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VL3_CLONES  // ifunc resolvers run before the sanitizers are ready
#else
#define VL3_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

namespace vl3::ops {
namespace {

inline float widen(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }
inline float widen(float value) { return value; }

template <typename T>
inline __attribute__((always_inline)) void attend(const float* q, const T* k, const T* v, int64_t d, int64_t rows,
                                                  int64_t begin, int64_t end, const int64_t* last,
                                                  AttentionPartial* partial, float* out) {
  const int64_t n = end - begin;
  std::vector<float> scores(static_cast<size_t>(rows * n)), wide(static_cast<size_t>(d));
  for (int64_t j = 0; j < n; ++j) {
    const T* key = k + (begin + j) * d;
    for (int64_t i = 0; i < d; ++i) wide[i] = widen(key[i]);
    for (int64_t r = 0; r < rows; ++r) {
      const float* query = q + r * d;
      float dot = 0.0f;
#pragma omp simd reduction(+ : dot)
      for (int64_t i = 0; i < d; ++i) dot += query[i] * wide[i];
      scores[r * n + j] = begin + j < last[r] ? dot : -std::numeric_limits<float>::infinity();
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* row = scores.data() + r * n;
    const float top = *std::max_element(row, row + n);
    float sum = 0.0f;
    for (int64_t j = 0; j < n; ++j) {
      row[j] = top == -std::numeric_limits<float>::infinity() ? 0.0f : std::exp(row[j] - top);
      sum += row[j];
    }
    partial[r] = {top, sum};
  }
  std::fill(out, out + rows * d, 0.0f);
  for (int64_t j = 0; j < n; ++j) {
    const T* value = v + (begin + j) * d;
    for (int64_t i = 0; i < d; ++i) wide[i] = widen(value[i]);
    for (int64_t r = 0; r < rows; ++r) {
      const float weight = scores[r * n + j];
      float* target = out + r * d;
#pragma omp simd
      for (int64_t i = 0; i < d; ++i) target[i] += weight * wide[i];
    }
  }
}

}  // namespace

VL3_CLONES void attend_range(const float* q, const uint16_t* k, const uint16_t* v, int64_t d, int64_t rows,
                             int64_t begin, int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, d, rows, begin, end, last, partial, out);
}

VL3_CLONES void attend_range(const float* q, const float* k, const float* v, int64_t d, int64_t rows, int64_t begin,
                             int64_t end, const int64_t* last, AttentionPartial* partial, float* out) {
  attend(q, k, v, d, rows, begin, end, last, partial, out);
}

void merge_partials(const AttentionPartial* partial, const float* values, int64_t parts, int64_t stride,
                    int64_t value_stride, int64_t d, float* out) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t p = 0; p < parts; ++p) top = std::max(top, partial[p * stride].max);
  std::fill(out, out + d, 0.0f);
  float sum = 0.0f;
  for (int64_t p = 0; p < parts; ++p) {
    const AttentionPartial& part = partial[p * stride];
    if (part.sum == 0.0f) continue;
    const float weight = std::exp(part.max - top);
    sum += weight * part.sum;
    for (int64_t i = 0; i < d; ++i) out[i] += weight * values[p * value_stride + i];
  }
  for (int64_t i = 0; i < d; ++i) out[i] /= sum;
}

}  // namespace vl3::ops
