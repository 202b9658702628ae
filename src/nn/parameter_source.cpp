#include "nn/parameter_source.h"

#include <ATen/ops/empty.h>

#include "core/check.h"
#include "nn/mapped_tensor.h"

namespace vl3::nn {
namespace {

constexpr int64_t kElementsAtOnce = 1 << 20;

void check_shape(const std::string& name, at::IntArrayRef found, at::IntArrayRef shape) {
  VL3_CHECK(found == shape, kCorrupt, "{}: shape [{}], expected [{}]", name, fmt::join(found, ", "),
            fmt::join(shape, ", "));
}

// Calls part(begin, end) for pieces of the rows; what is wrong with the numbers is said with the name.
template <typename Part>
void for_rows(const weights::QuantisedView& stored, const std::string& name, const Part& part) {
  const int64_t rows = std::max<int64_t>(1, kElementsAtOnce / stored.shape[1]);
  try {
    for (int64_t row = 0; row < stored.shape[0]; row += rows)
      part(row, std::min(stored.shape[0], row + rows));
  } catch (const Error& error) {
    throw error.with_context(name);
  }
}

at::Tensor written_out(const weights::QuantisedView& stored, const std::string& name, at::ScalarType dtype) {
  at::Tensor out = at::empty(stored.shape, dtype);
  for_rows(stored, name, [&](int64_t begin, int64_t end) {
    at::Tensor piece = at::empty({end - begin, stored.shape[1]}, at::kFloat);
    weights::read_dequantised(stored, begin, end, piece.data_ptr<float>());
    out.narrow(0, begin, end - begin).copy_(piece);
  });
  return out;
}

ops::QuantisedWeight pack(const weights::QuantisedView& stored, const std::string& name) {
  const int64_t O = stored.shape[0], I = stored.shape[1], a_row = stored.scales_a_row();
  const at::Tensor values = at::empty({O, I}, at::kChar), scale = at::empty({O, a_row}, at::kFloat);
  for_rows(stored, name, [&](int64_t begin, int64_t end) {
    weights::read_values(stored, begin, end, values.data_ptr<int8_t>() + begin * I);
    weights::read_scales(stored, begin, end, scale.data_ptr<float>() + begin * a_row);
  });
  return stored.scheme.bits == 8 ? ops::QuantisedWeight::int8(values, scale.view({O}))
                                 : ops::QuantisedWeight::int4(values, scale);
}

}  // namespace

std::shared_ptr<const PackedWeight> ParameterSource::packed(const std::string&, at::IntArrayRef) {
  return nullptr;
}

CheckpointSource::CheckpointSource(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                   at::ScalarType dtype, at::Device device)
    : checkpoint_(std::move(checkpoint)), dtype_(dtype), device_(device) {}

at::Tensor CheckpointSource::get(const std::string& name, at::IntArrayRef shape) {
  if (const weights::QuantisedView* stored = checkpoint_->quantised(name)) {
    check_shape(name, stored->shape, shape);
    const at::Tensor numbers = written_out(*stored, name, dtype_);
    checkpoint_->advise_dont_need(name);
    return numbers.to(device_);
  }
  const weights::TensorView view = checkpoint_->view(name);
  check_shape(name, view.shape, shape);
  // Nothing writes to a parameter outside training, which loads copies.
  const at::Tensor mapped = mapped_tensor(view, checkpoint_);
  if (mapped.scalar_type() == dtype_ && device_.is_cpu()) return view.aligned() ? mapped : mapped.clone();
  at::Tensor copy = mapped.to(device_, dtype_);
  checkpoint_->advise_dont_need(name);
  return copy;
}

std::shared_ptr<const PackedWeight> CheckpointSource::packed(const std::string& name, at::IntArrayRef shape) {
  const weights::QuantisedView* stored = checkpoint_->quantised(name);
  if (stored == nullptr || !device_.is_cpu()) return nullptr;
  check_shape(name, stored->shape, shape);
  const uint64_t bytes =
      static_cast<uint64_t>(stored->shape[0]) *
      (stored->shape[1] * stored->scheme.bits / 8 + stored->scales_a_row() * sizeof(float));
  auto weight = std::make_shared<const PackedWeight>(bytes, dtype_, [checkpoint = checkpoint_, stored, name] {
    ops::QuantisedWeight made = pack(*stored, name);
    checkpoint->advise_dont_need(name);
    return made;
  });
  return packed_.emplace(name, std::move(weight)).first->second;
}

}  // namespace vl3::nn
