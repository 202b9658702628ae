#include "eval/run/statistics.h"

#include <algorithm>
#include <cmath>

namespace vl3::eval {
namespace {

/// splitmix64: the same numbers everywhere.
class Random {
 public:
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t count) {
    return static_cast<size_t>((static_cast<unsigned __int128>(next()) * count) >> 64);
  }

 private:
  uint64_t state_ = 42;
};

/// Linear between the neighbours; `values` sorted.
double percentile(const std::vector<double>& values, double share) {
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace

std::optional<Spread> bootstrap(
    size_t units, const std::function<std::optional<double>(const std::vector<size_t>&)>& statistic,
    int draws) {
  if (units < 2) return std::nullopt;
  Random random;
  std::vector<double> values;
  std::vector<size_t> drawn(units);
  for (int i = 0; i < draws; ++i) {
    for (size_t& unit : drawn) unit = random.below(units);
    if (const auto value = statistic(drawn)) values.push_back(*value);
  }
  if (values.size() * 2 < static_cast<size_t>(draws)) return std::nullopt;
  std::sort(values.begin(), values.end());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return Spread{percentile(values, 0.025), percentile(values, 0.975),
                std::sqrt(squares / static_cast<double>(values.size()))};
}

double mcnemar(int64_t b, int64_t c) {
  const int64_t total = b + c;
  if (total == 0) return 1;
  double tail = 0;
  for (int64_t k = 0; k <= std::min(b, c); ++k)
    tail += std::exp(std::lgamma(static_cast<double>(total) + 1) - std::lgamma(static_cast<double>(k) + 1) -
                     std::lgamma(static_cast<double>(total - k) + 1) -
                     static_cast<double>(total) * std::log(2.0));
  return std::min(1.0, 2 * tail);
}

double sign_test(const std::vector<double>& sums, int draws) {
  double real = 0;
  for (const double sum : sums) real += sum;
  if (sums.empty()) return 1;
  Random random;
  int64_t far = 1;
  for (int i = 0; i < draws; ++i) {
    double total = 0;
    for (const double sum : sums) total += (random.next() & 1) != 0 ? sum : -sum;
    if (std::abs(total) >= std::abs(real) - 1e-9) ++far;
  }
  return static_cast<double>(far) / static_cast<double>(draws + 1);
}

}  // namespace vl3::eval
