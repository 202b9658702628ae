// Seeded choices that depend on their keys alone: the same on every machine, for any order of calls.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace vl3::data {

/// A well-mixed number from several keys (splitmix64's finaliser over each).
constexpr uint64_t mix(std::initializer_list<uint64_t> keys) {
  uint64_t state = 0x9e3779b97f4a7c15;
  for (const uint64_t key : keys) {
    state += key + 0x9e3779b97f4a7c15;
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
    state ^= state >> 31;
  }
  return state;
}

/// A random order of 0 … size-1 in constant memory: position i is computed when it is asked for. A Feistel
/// network over the next power of four, walked until it falls inside.
class Permutation {
 public:
  /// @param size  at least 1, at most 2^62.
  Permutation(int64_t size, uint64_t key) : size_(static_cast<uint64_t>(size)), key_(key) {
    while ((uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
  }

  int64_t operator()(int64_t position) const {
    auto value = static_cast<uint64_t>(position);
    do value = encrypt(value);
    while (value >= size_);
    return static_cast<int64_t>(value);
  }

 private:
  uint64_t encrypt(uint64_t value) const {
    const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
    uint64_t left = value >> half_bits_, right = value & mask;
    for (uint64_t round = 0; round < 6; ++round) {
      const uint64_t swapped = left ^ (mix({key_, round, right}) & mask);
      left = right;
      right = swapped;
    }
    return left << half_bits_ | right;
  }

  uint64_t size_;
  uint64_t key_;
  int half_bits_ = 1;
};

}  // namespace vl3::data
