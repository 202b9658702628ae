#include "preprocess/bicubic_weights.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <mutex>

#include "core/check.h"

namespace vl3::preprocess {
namespace {

constexpr int64_t kMaxSamples = int64_t{1} << 26;
constexpr size_t kCachedTables = 16;
constexpr size_t kCachedEntries = size_t{1} << 18;  // larger tables (one huge still) are not kept

/// Keys' cubic with a = -0.5, written in the order of Pillow's operations.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

struct CachedTable {
  int64_t in;
  int64_t out;
  std::shared_ptr<const BicubicWeights> table;
};

}  // namespace

BicubicWeights make_bicubic_weights(int64_t in, int64_t out) {
  VL3_CHECK(in >= 1 && in <= kMaxSamples && out >= 1 && out <= kMaxSamples, kInvalidArgument,
            "cannot resize {} samples to {}; both must be 1..{}", in, out, kMaxSamples);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);  // < 1 would alias when shrinking, > 1 widens the filter
  const double support = 2.0 * filter_scale;
  BicubicWeights table;
  table.max_count = std::min<int64_t>(static_cast<int64_t>(std::ceil(support)) * 2 + 1, in);
  table.windows.resize(static_cast<size_t>(out));
  table.weights.resize(static_cast<size_t>(out * table.max_count));
  std::vector<double> exact(static_cast<size_t>(table.max_count));
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t end = std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), in);
    const auto count = static_cast<size_t>(end - first);
    VL3_DCHECK(end > first && end - first <= table.max_count);
    double sum = 0.0;
    for (size_t j = 0; j < count; ++j) {
      exact[j] = bicubic((static_cast<double>(j) + static_cast<double>(first) - center + 0.5) *
                         (1.0 / filter_scale));
      sum += exact[j];
    }
    int32_t* row = table.weights.data() + i * table.max_count;
    for (size_t j = 0; j < count; ++j) row[j] = to_fixed(sum != 0.0 ? exact[j] / sum : exact[j]);
    table.windows[static_cast<size_t>(i)] = {static_cast<int32_t>(first), static_cast<int32_t>(count)};
  }
  return table;
}

std::shared_ptr<const BicubicWeights> bicubic_weights(int64_t in, int64_t out) {
  static std::mutex mutex;
  static std::list<CachedTable> cache;  // most recently used first
  {
    const std::lock_guard lock(mutex);
    const auto found = std::ranges::find_if(
        cache, [&](const CachedTable& entry) { return entry.in == in && entry.out == out; });
    if (found != cache.end()) {
      cache.splice(cache.begin(), cache, found);
      return cache.front().table;
    }
  }
  auto table = std::make_shared<const BicubicWeights>(make_bicubic_weights(in, out));
  if (table->weights.size() > kCachedEntries) return table;
  const std::lock_guard lock(mutex);
  cache.push_front({in, out, table});
  if (cache.size() > kCachedTables) cache.pop_back();
  return table;
}

}  // namespace vl3::preprocess
