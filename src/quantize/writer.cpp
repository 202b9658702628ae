#include "quantize/writer.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/file.h"
#include "weights/model_folder.h"
#include "weights/tensor_stream.h"

namespace vl3::quantize {
namespace {

weights::DType dtype_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kChar:
      return weights::DType::kI8;
    case at::kInt:
      return weights::DType::kI32;
    case at::kLong:
      return weights::DType::kI64;
    case at::kBFloat16:
      return weights::DType::kBF16;
    case at::kHalf:
      return weights::DType::kF16;
    default:
      VL3_DCHECK(tensor.scalar_type() == at::kFloat);
      return weights::DType::kF32;
  }
}

weights::OutTensor out_tensor(std::string name, const at::Tensor& tensor) {
  VL3_DCHECK(tensor.is_contiguous());
  weights::OutTensor out{.info = {std::move(name), dtype_of(tensor), tensor.sizes().vec()}, .produce = {}};
  out.produce = [tensor](const weights::ByteSink& sink) {
    sink({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  };
  return out;
}

void add_matrix(const std::string& name, const Module& module, const Stored& matrix,
                std::vector<weights::OutTensor>* tensors) {
  if (module.scheme.bits == 8) {
    tensors->push_back(out_tensor(name, matrix.values));
  } else {
    at::Tensor shape = at::empty({2}, at::kLong);
    shape.data_ptr<int64_t>()[0] = module.out;
    shape.data_ptr<int64_t>()[1] = module.in;
    tensors->push_back(out_tensor(name + "_packed", matrix.values));
    tensors->push_back(out_tensor(name + "_shape", shape));
  }
  tensors->push_back(out_tensor(name + "_scale", matrix.scale));
}

}  // namespace

Stored stored(const Rounded& rounded, const weights::QuantScheme& scheme, at::ScalarType scale_dtype) {
  Stored out{rounded.values, rounded.scale.to(scale_dtype).contiguous()};
  if (scheme.bits == 8) return out;
  const at::Tensor values = rounded.values.contiguous();
  const std::vector<int32_t> words =
      weights::pack_int4({values.const_data_ptr<int8_t>(), static_cast<size_t>(values.numel())});
  out.values = at::empty({values.size(0), values.size(1) / 8}, at::kInt);
  std::memcpy(out.values.data_ptr(), words.data(), words.size() * sizeof(int32_t));
  return out;
}

uint64_t write_quantised(const weights::Checkpoint& source, const std::vector<Module>& modules,
                         const std::map<std::string, Stored>& matrices, uint64_t max_shard_size,
                         const std::filesystem::path& folder, const weights::ByteProgress& progress) {
  const weights::ModelConfig& config = source.config();
  const bool tied = config.text.tie_word_embeddings;
  std::vector<weights::OutTensor> tensors;
  for (const weights::ExpectedTensor& tensor : source.tensors()) {
    const std::string name = weights::layout_name(tensor.name, config.layout);
    const auto module = std::ranges::find(modules, tensor.name, &Module::weight);
    if (module == modules.end()) {
      const weights::TensorView& view = source.view(tensor.name);
      weights::OutTensor out{.info = {name, view.dtype, tensor.shape}, .produce = {}};
      out.produce = [&view, &tensor](const weights::ByteSink& sink) {
        weights::stream_tensor(view, tensor.name, view.dtype, sink);
      };
      tensors.push_back(std::move(out));
      continue;
    }
    const Stored& matrix = matrices.at(tensor.name);
    add_matrix(name, *module, matrix, &tensors);
    // transformers ties lm_head.weight to the table, but not its scale: the numbers are there once, the scale
    // twice.
    if (tied && tensor.name.ends_with("embed_tokens.weight"))
      tensors.push_back(out_tensor("lm_head.weight_scale", matrix.scale));
  }
  weights::write_side_files(config, config.layout, source.dtype(), folder);
  OrderedJson json = OrderedJson::parse(read_file(folder / "config.json", 4u << 20));
  json["quantization_config"] =
      weights::make_quantization_config(config_groups(modules, config.layout, tied));
  write_file_atomically(folder / "config.json", json.dump(2) + "\n");
  weights::write_and_verify(folder, tensors, max_shard_size, progress);
  uint64_t bytes = 0;
  for (const weights::OutTensor& tensor : tensors) bytes += tensor.info.size_bytes();
  return bytes;
}

}  // namespace vl3::quantize
