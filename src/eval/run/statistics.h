// Uncertainty of scores and of their differences. Every number is a pure function of its input: the random
// generator is our own and its seed is fixed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace vl3::eval {

struct Spread {
  double low = 0, high = 0;  ///< 95 % interval: 2.5th and 97.5th percentile
  double deviation = 0;      ///< standard error
};

inline constexpr int kBootstraps = 1000;
inline constexpr int kPermutations = 10'000;

/// The bootstrap of a statistic whose units (media, with all their questions) are drawn with replacement.
/// @param statistic  of the drawn units, which may come several times; nullopt where it has no value
/// @return nullopt for fewer than two units, or where half of the draws have no value
std::optional<Spread> bootstrap(
    size_t units, const std::function<std::optional<double>(const std::vector<size_t>&)>& statistic,
    int draws = kBootstraps);

/// Two-sided exact test of McNemar: the probability of so uneven a split of b + c, were both as likely.
double mcnemar(int64_t b, int64_t c);

/// Two-sided randomisation test of a mean difference: each unit's sum may as well have the other sign.
/// @return share of random sign choices whose sum is as far from 0, counting the real one; 1 without units
double sign_test(const std::vector<double>& sums, int draws = kPermutations);

}  // namespace vl3::eval
