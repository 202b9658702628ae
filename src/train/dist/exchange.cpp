#include "train/dist/exchange.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace vl3::train {
namespace {

std::string text_of(const at::Tensor& bytes) {
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())};
}

at::Tensor bytes_of(std::string& text) {
  return at::from_blob(text.data(), {static_cast<int64_t>(text.size())}, at::kByte);
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
