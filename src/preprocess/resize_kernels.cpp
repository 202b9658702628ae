#include "preprocess/resize_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vl3::preprocess {
namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);
constexpr int64_t kPixel = 3 * kRowLanes;  // bytes of one pixel column of all lanes

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
using Tile = std::array<Bytes16, 16>;

/// 16x16 bytes: four perfect shuffles of the rows are a transposition.
[[gnu::always_inline]] inline void transpose(Tile& tile) {
  for (int stage = 0; stage < 4; ++stage) {
    Tile next;
    for (size_t i = 0; i < 8; ++i) {
      const Bytes16& a = tile[i];
      const Bytes16& b = tile[i + 8];
      next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] =
          __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    tile = next;
  }
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

/// Loops over fixed blocks, which any compiler vectorises for its baseline.
template <size_t kBlock>
void filter_block(const uint8_t* first, int64_t stride, const int32_t* weights, int64_t count, uint8_t* out) {
  std::array<int32_t, kBlock> sum;
  sum.fill(kHalf);
  for (int64_t j = 0; j < count; ++j) {
    for (size_t k = 0; k < kBlock; ++k) sum[k] += first[j * stride + static_cast<int64_t>(k)] * weights[j];
  }
  for (size_t k = 0; k < kBlock; ++k) out[k] = to_byte(sum[k]);
}

void filter_columns_portable(const uint8_t* columns, const BicubicWeights& table, uint8_t* filtered) {
  for (size_t i = 0; i < table.windows.size(); ++i, filtered += kPixel) {
    const auto [first, count] = table.windows[i];
    filter_block<kPixel>(columns + first * kPixel, kPixel, table.row(static_cast<int64_t>(i)), count,
                         filtered);
  }
}

void filter_rows_portable(const uint8_t* const* rows, const int32_t* weights, int64_t count, int64_t bytes,
                          uint8_t* out) {
  constexpr int64_t kBlock = 256;
  std::array<int32_t, kBlock> sum;
  for (int64_t x = 0; x < bytes; x += kBlock) {
    const int64_t size = std::min(kBlock, bytes - x);
    sum.fill(kHalf);
    for (int64_t j = 0; j < count; ++j) {
      const uint8_t* row = rows[j] + x;
      for (int64_t k = 0; k < size; ++k) sum[static_cast<size_t>(k)] += row[k] * weights[j];
    }
    for (int64_t k = 0; k < size; ++k) out[x + k] = to_byte(sum[static_cast<size_t>(k)]);
  }
}

constexpr ResizeKernels kPortable{filter_columns_portable, filter_rows_portable};

#if defined(__x86_64__)
#define VL3_AVX2 [[gnu::target("avx2")]]

/// sum += weight * eight bytes.
VL3_AVX2 inline __m256i add_weighted(__m256i sum, const uint8_t* bytes, __m256i weight) {
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
  return _mm256_add_epi32(sum, _mm256_mullo_epi32(wide, weight));
}

/// Drops the fractions of 16 sums, clips to 0 … 255, writes 16 bytes. The saturating packs are the clipping.
VL3_AVX2 inline void store_clipped(__m256i low, __m256i high, uint8_t* out) {
  const __m256i words =
      _mm256_packs_epi32(_mm256_srai_epi32(low, kWeightBits), _mm256_srai_epi32(high, kWeightBits));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0b11011000);  // packs works in 128-bit halves
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
}

VL3_AVX2 void filter_columns_avx2(const uint8_t* columns, const BicubicWeights& table, uint8_t* filtered) {
  for (size_t i = 0; i < table.windows.size(); ++i, filtered += kPixel) {
    const auto [first, count] = table.windows[i];
    const int32_t* weights = table.row(static_cast<int64_t>(i));
    const uint8_t* pixel = columns + first * kPixel;
    const __m256i half = _mm256_set1_epi32(kHalf);
    __m256i sum[6] = {half, half, half, half, half, half};
    for (int32_t j = 0; j < count; ++j, pixel += kPixel) {
      const __m256i weight = _mm256_set1_epi32(weights[j]);
      for (int k = 0; k < 6; ++k) sum[k] = add_weighted(sum[k], pixel + 8 * k, weight);
    }
    for (int k = 0; k < 3; ++k) store_clipped(sum[2 * k], sum[2 * k + 1], filtered + 16 * k);
  }
}

VL3_AVX2 void filter_rows_avx2(const uint8_t* const* rows, const int32_t* weights, int64_t count,
                               int64_t bytes, uint8_t* out) {
  constexpr int64_t kStep = 32;
  if (bytes < kStep) return filter_rows_portable(rows, weights, count, bytes, out);
  const __m256i half = _mm256_set1_epi32(kHalf);
  for (int64_t done = 0; done < bytes; done += kStep) {
    const int64_t x = std::min(done, bytes - kStep);  // the last step may overlap the one before
    __m256i sum[4] = {half, half, half, half};
    for (int64_t j = 0; j < count; ++j) {
      const __m256i weight = _mm256_set1_epi32(weights[j]);
      for (int k = 0; k < 4; ++k) sum[k] = add_weighted(sum[k], rows[j] + x + 8 * k, weight);
    }
    store_clipped(sum[0], sum[1], out + x);
    store_clipped(sum[2], sum[3], out + x + 16);
  }
}

constexpr ResizeKernels kAvx2{filter_columns_avx2, filter_rows_avx2};
#endif

}  // namespace

void rows_to_columns(const uint8_t* const* rows, int64_t bytes, uint8_t* columns) {
  if (bytes < 16) {
    for (int64_t i = 0; i < bytes * kRowLanes; ++i) columns[i] = rows[i % kRowLanes][i / kRowLanes];
    return;
  }
  for (int64_t done = 0; done < bytes; done += 16) {
    const int64_t x = std::min(done, bytes - 16);  // the last tile may overlap the one before
    Tile tile;
    for (size_t i = 0; i < 16; ++i) std::memcpy(&tile[i], rows[i] + x, 16);
    transpose(tile);
    std::memcpy(columns + x * kRowLanes, tile.data(), sizeof(tile));
  }
}

void columns_to_rows(const uint8_t* columns, int64_t bytes, uint8_t* const* rows) {
  if (bytes < 16) {
    for (int64_t i = 0; i < bytes * kRowLanes; ++i) rows[i % kRowLanes][i / kRowLanes] = columns[i];
    return;
  }
  for (int64_t done = 0; done < bytes; done += 16) {
    const int64_t x = std::min(done, bytes - 16);
    Tile tile;
    std::memcpy(tile.data(), columns + x * kRowLanes, sizeof(tile));
    transpose(tile);
    for (size_t i = 0; i < 16; ++i) std::memcpy(rows[i] + x, &tile[i], 16);
  }
}

const ResizeKernels& portable_resize_kernels() { return kPortable; }

const ResizeKernels& resize_kernels() {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return kAvx2;
#endif
  return kPortable;
}

}  // namespace vl3::preprocess
