#include "ops/product_vnni.h"

#include "ops/vnni_tile.h"

#if defined(__x86_64__)

VL3_BEFORE_AVX512_VNNI
namespace vl3::ops {
namespace {

using namespace avx512_vnni;

constexpr int kTileRows = 6;            // with 4 vectors: 24 accumulators of 32 registers
constexpr int64_t kBlockInputs = 2048;  // that meet all rows before the next ones: 128 KiB of bytes
constexpr int64_t kBlockSteps = kBlockInputs / 4;
constexpr int64_t kExpanded = kBlockSteps * kStepBytes;

// A panel's product in work: rows from m_begin on, with the sums that are kept between blocks.
struct Work {
  const QuantisedProduct& product;
  int64_t panel, width, m_begin;
  float* y;
  int64_t y_stride;
  void* kept;  // [rows, 64] int32 or float32
  int64_t groups = product.weight.groups(), group_bytes = product.weight.group_bytes();  // divisions: once

  const int8_t* x(int64_t m) const { return product.x.values + m * product.x.stride; }
  template <typename T>
  T* kept_row(int64_t m) const {
    return static_cast<T*>(kept) + (m - m_begin) * kPanelOutputs;
  }
};

HWY_INLINE __m512i correction(const Work& work, int64_t m, int64_t group) {
  return _mm512_set1_epi32(work.product.x.correction[m * work.groups + group]);
}

template <int R, int V>
HWY_INLINE void store(const Work& work, int64_t m, int first_vector, const __m512 (&values)[R][V]) {
  HWY_UNROLL(8)
  for (int v = 0; v < V; ++v) {
    const int64_t o = (first_vector + v) * kLanes, left = work.width - o;
    if (left <= 0) break;
    const __mmask16 lanes = first_lanes(left);
    const float* b = work.product.bias;
    const __m512 bias =
        b != nullptr ? _mm512_maskz_loadu_ps(lanes, b + work.panel * kPanelOutputs + o) : _mm512_setzero_ps();
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      const __m512 scale = _mm512_set1_ps(work.product.x.scale[m + r]);
      _mm512_mask_storeu_ps(work.y + (m + r - work.m_begin) * work.y_stride + o, lanes,
                            _mm512_fmadd_ps(values[r][v], scale, bias));
    }
  }
}

// Inputs of `steps` steps at `w` for R rows; sums of a panel's earlier and later inputs are kept in memory.
template <int R, int V>
void tile_8bit(const Work& work, int64_t m, int64_t first_step, int64_t steps, bool last,
               const std::byte* group) {
  __m512i sums[R][V];
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) {
      sums[r][v] = first_step == 0 ? correction(work, m + r, 0)
                                   : _mm512_loadu_si512(work.kept_row<int32_t>(m + r) + v * kLanes);
    }
  }
  multiply<R, V>(work.x(m) + 4 * first_step, work.product.x.stride,
                 group + kScaleBytes + first_step * kStepBytes, steps, sums);
  if (!last) {
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < V; ++v) _mm512_storeu_si512(work.kept_row<int32_t>(m + r) + v * kLanes, sums[r][v]);
    }
    return;
  }
  __m512 values[R][V];
  HWY_UNROLL(8)
  for (int v = 0; v < V; ++v) {
    const __m512 scale = _mm512_loadu_ps(group + v * 64);
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) values[r][v] = _mm512_mul_ps(to_floats(sums[r][v]), scale);
  }
  store<R, V>(work, m, 0, values);
}

template <int R, int V>
HWY_INLINE void add_scaled(const __m512i (&sums)[R][V], const std::byte* scales, __m512 (&values)[R][V]) {
  HWY_UNROLL(8)
  for (int v = 0; v < V; ++v) {
    const __m512 scale = _mm512_loadu_ps(scales + v * 64);
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) values[r][v] = _mm512_fmadd_ps(to_floats(sums[r][v]), scale, values[r][v]);
  }
}

// Few rows: 4-bit numbers are used as they come from memory; scaled sums stay in the first-level cache.
template <int R>
void stream_4bit(const Work& work, int64_t m, const std::byte* panel) {
  constexpr int V = kVectors;
  const int64_t inputs = work.product.weight.group, stride = work.product.x.stride, all = work.groups;
  const int8_t* x = work.x(m);
  const int32_t* corrections = work.product.x.correction + m * all;
  __m512 values[R][V];  // in memory: registers are for the sums
  for (auto& row : values) {
    for (__m512& value : row) value = _mm512_setzero_ps();
  }
  for (int64_t g = 0; g < all; ++g, panel += work.group_bytes, x += inputs) {
    __m512i sums[R][V];
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < V; ++v) sums[r][v] = _mm512_set1_epi32(corrections[r * all + g]);
    }
    multiply_4bit<R, V>(x, stride, panel + kScaleBytes, inputs / 8, sums);
    add_scaled<R, V>(sums, panel, values);
  }
  store<R, V>(work, m, 0, values);
}

// Consecutive groups of a panel, their numbers as bytes.
struct Groups {
  int64_t first, count;
  const std::byte* scales;    // of the first; group_bytes apart
  const std::byte* expanded;  // of the first
};

// Many rows: half a panel at a time, so that both kinds of sums stay in registers.
template <int R>
void tile_4bit(const Work& work, int64_t m, const Groups& groups, int half) {
  constexpr int V = kVectors / 2;
  const int64_t inputs = work.product.weight.group, stride = work.product.x.stride, all = work.groups;
  float* kept = work.kept_row<float>(m) + half * V * kLanes;
  __m512 values[R][V];
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v)
      values[r][v] =
          groups.first == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(kept + r * kPanelOutputs + v * kLanes);
  }
  const int32_t* corrections = work.product.x.correction + m * all + groups.first;
  const int8_t* x = work.x(m) + groups.first * inputs;
  const std::byte* w = groups.expanded + half * V * 64;
  const std::byte* scales = groups.scales + half * V * 64;
  for (int64_t g = 0; g < groups.count; ++g) {
    __m512i sums[R][V];
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      HWY_UNROLL(8)
      for (int v = 0; v < V; ++v) sums[r][v] = _mm512_set1_epi32(corrections[r * all + g]);
    }
    multiply<R, V>(x, stride, w, inputs / 4, sums);
    add_scaled<R, V>(sums, scales, values);
    x += inputs;
    w += inputs / 4 * kStepBytes;
    scales += work.group_bytes;
  }
  if (groups.first + groups.count == all) return store<R, V>(work, m, half * V, values);
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < V; ++v) _mm512_storeu_ps(kept + r * kPanelOutputs + v * kLanes, values[r][v]);
  }
}

// Calls with.template operator()<R>(first row) for tiles of nearly equal height.
template <typename With>
HWY_INLINE void in_tiles(int64_t begin, int64_t end, const With& with) {
  for (int64_t m = begin; m < end;) {
    const int64_t left = end - m, tiles = (left + kTileRows - 1) / kTileRows,
                  rows = (left + tiles - 1) / tiles;
    switch (rows) {
      case 6:
        with.template operator()<6>(m);
        break;
      case 5:
        with.template operator()<5>(m);
        break;
      case 4:
        with.template operator()<4>(m);
        break;
      case 3:
        with.template operator()<3>(m);
        break;
      case 2:
        with.template operator()<2>(m);
        break;
      default:
        with.template operator()<1>(m);
        break;
    }
    m += rows;
  }
}

struct Tiles8Bit {
  const Work& work;
  int64_t first_step, steps;
  bool last;
  const std::byte* group;
  template <int R>
  void operator()(int64_t m) const {
    const int vectors = static_cast<int>((work.width + kLanes - 1) / kLanes);
    if (vectors == 1) return tile_8bit<R, 1>(work, m, first_step, steps, last, group);
    if (vectors == 2) return tile_8bit<R, 2>(work, m, first_step, steps, last, group);
    tile_8bit<R, kVectors>(work, m, first_step, steps, last, group);
  }
};

struct Stream4Bit {
  const Work& work;
  const std::byte* panel;
  template <int R>
  void operator()(int64_t m) const {
    stream_4bit<R>(work, m, panel);
  }
};

struct Tiles4Bit {
  const Work& work;
  const Groups& groups;
  template <int R>
  void operator()(int64_t m) const {
    tile_4bit<R>(work, m, groups, 0);
    if (work.width > kPanelOutputs / 2) tile_4bit<R>(work, m, groups, 1);
  }
};

void product_8bit(const Work& work, int64_t m_end, const std::byte* group) {
  const int64_t steps = (work.product.weight.I + 3) / 4;
  const int64_t block = m_end - work.m_begin <= kTileRows ? steps : kBlockSteps;
  for (int64_t s = 0; s < steps; s += block) {
    const int64_t n = steps - s < block ? steps - s : block;
    in_tiles(work.m_begin, m_end, Tiles8Bit{work, s, n, s + n == steps, group});
  }
}

void product_4bit(const Work& work, int64_t m_end, const std::byte* panel, std::byte* expanded) {
  const QuantisedPanels& weight = work.product.weight;
  if (m_end - work.m_begin < kQuantisedManyRows)
    return in_tiles(work.m_begin, m_end, Stream4Bit{work, panel});
  const int64_t groups = work.groups, in_block = kBlockInputs / weight.group;
  for (int64_t g = 0; g < groups; g += in_block) {
    const int64_t n = groups - g < in_block ? groups - g : in_block;
    const std::byte* from = panel + g * work.group_bytes;
    for (int64_t i = 0; i < n; ++i) {
      expand(from + i * work.group_bytes + kScaleBytes, weight.group / 8,
             expanded + i * weight.group / 4 * kStepBytes);
    }
    in_tiles(work.m_begin, m_end, Tiles4Bit{work, Groups{g, n, from, expanded}});
  }
}

}  // namespace

void product_vnni(const QuantisedProduct& product, int64_t panel, int64_t m_begin, int64_t m_end, float* y,
                  int64_t y_stride, std::byte* scratch) {
  const QuantisedPanels& weight = product.weight;
  const Work work{product, panel, weight.width(panel), m_begin, y, y_stride, scratch + kExpanded};
  const std::byte* data = weight.data + panel * weight.panel_bytes();
  if (weight.bits == 8) {
    product_8bit(work, m_end, data);
  } else {
    product_4bit(work, m_end, data, scratch);
  }
}

}  // namespace vl3::ops
VL3_AFTER_AVX512_VNNI

namespace vl3::ops {

bool cpu_has_avx512_vnni() {
  static const bool found = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return found;
}

int64_t product_vnni_scratch(const QuantisedPanels&, int64_t rows) {
  return kExpanded + rows * kPanelOutputs * 4;
}

}  // namespace vl3::ops

#else

namespace vl3::ops {

bool cpu_has_avx512_vnni() { return false; }
int64_t product_vnni_scratch(const QuantisedPanels&, int64_t) { return 0; }
void product_vnni(const QuantisedProduct&, int64_t, int64_t, int64_t, float*, int64_t, std::byte*) {
  __builtin_trap();
}

}  // namespace vl3::ops

#endif
