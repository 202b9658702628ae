// Seeded random numbers that are the same on every machine: std's distributions are not. Plain value, one a
// thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hash.h"

namespace vl3::synth {

/// Mixes one more number into a seed (the finaliser of SplitMix64).
inline uint64_t mix(uint64_t seed, uint64_t value) {
  uint64_t z = seed + 0x9e3779b97f4a7c15ULL + value * 0xd1342543de82ef95ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// FNV-1a of a text, mixed: what decides which strings are held out.
inline uint64_t hash_text(std::string_view text, uint64_t seed = 0) { return mix(seed, fnv1a(text)); }

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 … n-1; n >= 1.
  int below(int n) { return static_cast<int>((next() >> 32) * static_cast<uint64_t>(n) >> 32); }
  /// low … high, both included.
  int between(int low, int high) { return low + below(high - low + 1); }
  /// [0, 1)
  double real() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  double real(double low, double high) { return low + (high - low) * real(); }
  bool chance(double probability) { return real() < probability; }
  /// Normal, mean 0, deviation 1.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - real()));
    return radius * std::cos(6.283185307179586 * real());
  }
  template <typename Container>
  const auto& pick(const Container& container) {
    return *(std::begin(container) + below(static_cast<int>(std::size(container))));
  }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + below(static_cast<int>(values.size())));
  }
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[static_cast<size_t>(below(static_cast<int>(i)))]);
  }

 private:
  uint64_t state_;
};

}  // namespace vl3::synth
