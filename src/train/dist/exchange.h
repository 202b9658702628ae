// Numbers and texts that processes tell one another. Every process calls the same function in the same order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "train/dist/collective.h"

namespace vl3::train {

class Exchange {
 public:
  /// @param collective  outlives this object. @param device  where its tensors lie.
  Exchange(Collective& collective, at::Device device) : collective_(&collective), device_(device) {}

  /// Each number's sum over processes.
  std::vector<int64_t> sums(std::vector<int64_t> numbers);
  int64_t sum(int64_t number) { return sums({number})[0]; }
  /// Rank 0's text.
  std::string from_first(std::string text);
  /// Ends all processes where they do not say the same. @param what  they speak of, in lines of key and
  /// value.
  /// @throws Error(kInvalidArgument) naming the process and the first line that differs.
  void agree(const std::string& what, const std::string& lines);
  /// All texts, in rank order.
  std::vector<std::string> from_all(const std::string& text);

 private:
  Collective* collective_;
  at::Device device_;
};

}  // namespace vl3::train
