#include "nn/mapped_tensor.h"

#include <ATen/ops/from_blob.h>

#include <utility>

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
    case weights::DType::kI64:
      return at::kLong;
    default:
      VL3_FAIL(kUnsupported, "tensors of dtype {}: expected F32, BF16, F16 or I64",
               weights::dtype_name(dtype));
  }
}

}  // namespace

at::Tensor mapped_tensor(const weights::TensorView& view, std::shared_ptr<const void> keep) {
  // The map is read-only; from_blob wants a mutable pointer.
  return at::from_blob(
      const_cast<std::byte*>(view.data), view.shape, [keep = std::move(keep)](void*) {},
      at::TensorOptions(scalar_type(view.dtype)));
}

}  // namespace vl3::nn
