#include "ops/paged_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/decode_attention.h"

namespace vl3::ops {
namespace {

// Joins a page's partial result to what came before it: the weighted values `sum` and their weight `total`,
// both relative to exp(top).
void join(const AttentionPartial& part, const float* values, int64_t d, float& top, float& total,
          float* sum) {
  if (part.sum == 0.0F) return;  // the page lies behind the row
  const float highest = std::max(top, part.max);
  const float before = std::exp(top - highest), now = std::exp(part.max - highest);
  top = highest;
  total = total * before + part.sum * now;
  for (int64_t i = 0; i < d; ++i) sum[i] = sum[i] * before + values[i] * now;
}

}  // namespace

void paged_attention(const PagedKeys& keys, const int32_t* pages, int64_t first, const float* q, int64_t H,
                     int64_t head, int64_t begin, int64_t end, float scale, float* out) {
  const int64_t d = keys.d, G = H / keys.KV, rows = (end - begin) * G, P = keys.page_rows;
  std::vector<float> query(static_cast<size_t>(rows * d)), values(query.size()), sum(query.size(), 0.0F);
  std::vector<float> top(static_cast<size_t>(rows), -std::numeric_limits<float>::infinity()),
      total(top.size(), 0.0F);
  std::vector<AttentionPartial> partial(top.size());
  std::vector<int64_t> last(top.size());
  const auto at = [&](int64_t r) { return ((begin + r / G) * H + head * G + r % G) * d; };
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < d; ++i) query[static_cast<size_t>(r * d + i)] = q[at(r) + i] * scale;
  }
  const int64_t visible = first + end;  // to the last row
  for (int64_t page = 0; page * P < visible; ++page) {
    // Always whole pages, with what lies behind a row weighed 0: the kernel may round differently for another
    // number of keys.
    for (int64_t r = 0; r < rows; ++r)
      last[static_cast<size_t>(r)] = std::clamp<int64_t>(first + begin + r / G + 1 - page * P, 0, P);
    const int64_t row = (pages[page] * keys.KV + head) * P, offset = row * d;
    switch (keys.type) {
      case CacheType::kFloat32:
        attend_range(query.data(), static_cast<const float*>(keys.k) + offset,
                     static_cast<const float*>(keys.v) + offset, d, rows, 0, P, last.data(), partial.data(),
                     values.data());
        break;
      case CacheType::kBfloat16:
        attend_range(query.data(), static_cast<const uint16_t*>(keys.k) + offset,
                     static_cast<const uint16_t*>(keys.v) + offset, d, rows, 0, P, last.data(),
                     partial.data(), values.data());
        break;
      case CacheType::kInt8:
        attend_range(query.data(), static_cast<const int8_t*>(keys.k) + offset,
                     static_cast<const int8_t*>(keys.v) + offset, keys.k_scale + row, keys.v_scale + row, d,
                     rows, 0, P, last.data(), partial.data(), values.data());
        break;
    }
    for (int64_t r = 0; r < rows; ++r)
      join(partial[static_cast<size_t>(r)], values.data() + r * d, d, top[static_cast<size_t>(r)],
           total[static_cast<size_t>(r)], sum.data() + r * d);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < d; ++i)
      out[at(r) + i] = sum[static_cast<size_t>(r * d + i)] / total[static_cast<size_t>(r)];
  }
}

}  // namespace vl3::ops
