#include "nn/parameter_source.h"

#include <ATen/ops/from_blob.h>

#include "core/check.h"

namespace vl3::nn {
namespace {

at::ScalarType scalar_type(weights::DType dtype) {
  switch (dtype) {
    case weights::DType::kF32:
      return at::kFloat;
    case weights::DType::kBF16:
      return at::kBFloat16;
    case weights::DType::kF16:
      return at::kHalf;
    default:
      VL3_FAIL(kUnsupported, "weights of dtype {}: expected F32, BF16 or F16", weights::dtype_name(dtype));
  }
}

}  // namespace

CheckpointSource::CheckpointSource(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                   at::ScalarType dtype, at::Device device)
    : checkpoint_(std::move(checkpoint)), dtype_(dtype), device_(device) {}

at::Tensor CheckpointSource::get(const std::string& name, at::IntArrayRef shape) {
  const weights::TensorView view = checkpoint_->view(name);
  VL3_CHECK(at::IntArrayRef(view.shape) == shape, kCorrupt, "{}: shape [{}], expected [{}]", name,
            fmt::join(view.shape, ", "), fmt::join(shape, ", "));
  // The map is read-only; from_blob wants a mutable pointer, but nothing writes to a parameter outside
  // training, which loads copies.
  void* data = const_cast<std::byte*>(view.data);
  const at::Tensor mapped = at::from_blob(
      data, shape, [keep = checkpoint_](void*) {}, at::TensorOptions(scalar_type(view.dtype)));
  if (mapped.scalar_type() == dtype_ && device_.is_cpu()) return view.aligned() ? mapped : mapped.clone();
  at::Tensor copy = mapped.to(device_, dtype_);
  checkpoint_->advise_dont_need(name);
  return copy;
}

}  // namespace vl3::nn
