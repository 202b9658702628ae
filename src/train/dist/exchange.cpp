#include "train/dist/exchange.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <sstream>

#include "core/check.h"
#include "text/white_space.h"

namespace vl3::train {
namespace {

std::string text_of(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())};
}

at::Tensor bytes_of(std::string& text) {
  return at::from_blob(text.data(), {static_cast<int64_t>(text.size())}, at::kByte);
}

/// "LINE instead of LINE", of the first lines that are not the same.
std::string first_difference(const std::string& wanted, const std::string& found) {
  std::istringstream a(wanted), b(found);
  std::string line_a, line_b;
  bool more_a = true, more_b = true;
  while (line_a == line_b && (more_a || more_b)) {
    more_a = static_cast<bool>(std::getline(a, line_a));
    more_b = static_cast<bool>(std::getline(b, line_b));
    if (!more_a) line_a = "nothing";
    if (!more_b) line_b = "nothing";
  }
  return fmt::format("{} instead of {}", text::strip(line_b), text::strip(line_a));
}

}  // namespace

std::vector<int64_t> Exchange::sums(std::vector<int64_t> numbers) {
  if (collective_->world_size() == 1) return numbers;
  at::Tensor all = at::tensor(numbers, at::kLong).to(device_);
  collective_->all_reduce_sum(all);
  all = all.cpu();
  const auto* sum = all.const_data_ptr<int64_t>();
  return {sum, sum + all.numel()};
}

std::string Exchange::from_first(std::string text) {
  if (collective_->world_size() == 1) return text;
  const int64_t size = sum(collective_->rank() == 0 ? static_cast<int64_t>(text.size()) : 0);
  if (size == 0) return "";
  text.resize(static_cast<size_t>(size));
  at::Tensor bytes = bytes_of(text).to(device_);
  collective_->broadcast(bytes, 0);
  return text_of(bytes.cpu());
}

void Exchange::agree(const std::string& what, const std::string& lines) {
  const std::vector<std::string> all = from_all(lines);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    VL3_CHECK(all[rank] == all[0], kInvalidArgument,
              "process {} has other {} than process 0: {}; start all of them with the same", rank, what,
              first_difference(all[0], all[rank]));
  }
}

std::vector<std::string> Exchange::from_all(const std::string& text) {
  if (collective_->world_size() == 1) return {text};
  const auto world = static_cast<size_t>(collective_->world_size());
  std::vector<int64_t> sizes(world);
  sizes[static_cast<size_t>(collective_->rank())] = static_cast<int64_t>(text.size());
  sizes = sums(sizes);
  const int64_t longest = std::max<int64_t>(*std::ranges::max_element(sizes), 1);
  std::string padded = text;
  padded.resize(static_cast<size_t>(longest));
  at::Tensor all =
      at::empty({static_cast<int64_t>(world) * longest}, at::TensorOptions(at::kByte).device(device_));
  collective_->all_gather(bytes_of(padded).to(device_), all)->wait();
  all = all.cpu();
  std::vector<std::string> texts;
  for (size_t r = 0; r < world; ++r)
    texts.push_back(text_of(all.narrow(0, static_cast<int64_t>(r) * longest, sizes[r])));
  return texts;
}

}  // namespace vl3::train
