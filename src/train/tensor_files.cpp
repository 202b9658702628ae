#include "train/tensor_files.h"

#include <memory>

#include "core/check.h"
#include "nn/mapped_tensor.h"
#include "weights/safetensors.h"

namespace vl3::train {
namespace {

weights::DType dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return weights::DType::kF32;
    case at::kBFloat16:
      return weights::DType::kBF16;
    case at::kHalf:
      return weights::DType::kF16;
    case at::kLong:
      return weights::DType::kI64;
    default:
      VL3_FAIL(kUnsupported, "tensors of type {} are not written", c10::toString(type));
  }
}

}  // namespace

std::vector<weights::OutTensor> out_tensors(const std::vector<LazyTensor>& tensors) {
  std::vector<weights::OutTensor> out;
  for (const LazyTensor& tensor : tensors) {
    const auto produce = [get = tensor.get](const weights::ByteSink& sink) {
      const at::Tensor flat = get().detach().cpu().contiguous();
      sink({static_cast<const std::byte*>(flat.const_data_ptr()), flat.nbytes()});
    };
    out.push_back({.info = {.name = tensor.name, .dtype = dtype_of(tensor.dtype), .shape = tensor.shape},
                   .produce = produce});
  }
  return out;
}

std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& path) {
  const auto file = std::make_shared<const weights::SafetensorsFile>(path);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, view] : file->tensors()) {
    VL3_CHECK(view.aligned(), kCorrupt, "{}: {} is not aligned to its elements", path.string(), name);
    tensors[name] = nn::mapped_tensor(view, file);
  }
  return tensors;
}

}  // namespace vl3::train
