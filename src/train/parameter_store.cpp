#include "train/parameter_store.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/util/strides.h>

#include <algorithm>
#include <tuple>

#include "core/check.h"

namespace vl3::train {
namespace {

constexpr int64_t kAlignment = 32;  // elements: a share begins at a cache line, whatever the dtype

// A tensor of its own over a part of a flat one: not a view to autograd, so each parameter is a plain leaf.
at::Tensor part_of_flat(const at::Tensor& flat, int64_t offset, at::IntArrayRef shape) {
  at::Tensor part = at::empty({0}, flat.options());
  part.set_(flat.storage(), flat.storage_offset() + offset, shape, c10::contiguous_strides(shape));
  return part;
}
}  // namespace

ParameterStore::ParameterStore(std::shared_ptr<const weights::Checkpoint> checkpoint,
                               const std::vector<Trainable>& trainables, const StoreOptions& options)
    : checkpoint_(checkpoint),
      frozen_(std::move(checkpoint), options.dtype, options.device),
      options_(options) {
  std::vector<size_t> last_place;
  lay_out(trainables, &last_place);
  order_buckets(last_place);
  allocate();
}

void ParameterStore::lay_out(const std::vector<Trainable>& trainables, std::vector<size_t>* last_place) {
  using Key = std::tuple<Part, bool, Rule>;
  std::map<Key, size_t> open;
  for (size_t place = trainables.size(); place-- > 0;) {
    const Trainable& trainable = trainables[place];
    const Key key{
        part_of(trainable.name), decays(trainable.name),
        options_.muon && is_hidden_matrix(trainable.name, trainable.shape) ? Rule::kMuon : Rule::kAdamW};
    const bool direct = is_table(trainable.name);
    auto at = open.find(key);
    if (direct || at == open.end()) {
      Bucket bucket;
      std::tie(bucket.part, bucket.decays, bucket.rule) = key;
      bucket.direct = direct;
      buckets_.push_back(std::move(bucket));
      last_place->push_back(place);
      if (!direct) at = open.insert_or_assign(key, buckets_.size() - 1).first;
    }
    const size_t index = direct ? buckets_.size() - 1 : at->second;
    Bucket& bucket = buckets_[index];
    Parameter parameter;
    parameter.name = trainable.name;
    parameter.shape = trainable.shape;
    parameter.offset = bucket.size;
    parameter.numel = numel(trainable.shape);
    parameter.direct = direct;
    parameter.bucket = index;
    bucket.size += parameter.numel;
    bucket.parameters.push_back(parameters_.size());
    (*last_place)[index] = place;
    if (!direct && bucket.size >= options_.bucket_elements) open.erase(key);
    parameters_.push_back(std::move(parameter));
  }
}

void ParameterStore::order_buckets(const std::vector<size_t>& last_place) {
  std::vector<size_t> order(buckets_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (buckets_[a].direct != buckets_[b].direct) return buckets_[b].direct;
    return last_place[a] > last_place[b];
  });
  std::vector<Bucket> sorted;
  for (const size_t from : order) sorted.push_back(std::move(buckets_[from]));
  buckets_ = std::move(sorted);
}

void ParameterStore::allocate() {
  const auto tensor_options = at::TensorOptions(options_.device);
  const int64_t unit = options_.shares * kAlignment;
  for (size_t b = 0; b < buckets_.size(); ++b) {
    Bucket& bucket = buckets_[b];
    bucket.size = (bucket.size + unit - 1) / unit * unit;
    bucket.weights = at::zeros({bucket.size}, tensor_options.dtype(options_.dtype));
    bucket.grads = at::zeros({bucket.size}, tensor_options.dtype(at::kFloat));
    for (const size_t p : bucket.parameters) {
      Parameter& parameter = parameters_[p];
      parameter.bucket = b;
      parameter.weight = part_of_flat(bucket.weights, parameter.offset, parameter.shape);
      parameter.grad_sum = part_of_flat(bucket.grads, parameter.offset, parameter.shape);
      index_[parameter.name] = p;
    }
  }
}

at::Tensor ParameterStore::get(const std::string& name, at::IntArrayRef shape) {
  Parameter* parameter = find(name);
  if (parameter == nullptr) return frozen_.get(name, shape);
  VL3_CHECK(at::IntArrayRef(parameter->shape) == shape, kCorrupt, "{}: shape [{}], expected [{}]", name,
            fmt::join(parameter->shape, ", "), fmt::join(shape, ", "));
  nn::CheckpointSource stored(checkpoint_, options_.dtype, options_.device);
  parameter->weight.detach().copy_(stored.get(name, shape));
  checkpoint_->advise_dont_need(name);
  return parameter->weight;
}

Parameter* ParameterStore::find(const std::string& name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &parameters_[found->second];
}

}  // namespace vl3::train
