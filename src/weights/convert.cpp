#include "weights/convert.h"

#include <vector>

#include "core/check.h"
#include "weights/checkpoint.h"
#include "weights/model_folder.h"
#include "weights/staged_folder.h"
#include "weights/tensor_stream.h"

namespace vl3::weights {
ConvertReport convert_checkpoint(const std::filesystem::path& source, const std::filesystem::path& out,
                                 const ConvertOptions& options) {
  VL3_CHECK(!options.dtype || is_weight_dtype(*options.dtype), kInvalidArgument,
            "dtype {}: choose float32, bfloat16 or float16", dtype_name(options.dtype.value_or(DType::kF32)));
  const ModelConfig config = load_model_config(source);
  const Checkpoint checkpoint = Checkpoint::open(source, config);
  ConvertReport report{.dtype = options.dtype.value_or(checkpoint.dtype())};

  std::vector<OutTensor> tensors;
  for (const ExpectedTensor& tensor : checkpoint.tensors()) {
    const QuantisedView* const quantised = checkpoint.quantised(tensor.name);
    const TensorView* const plain = quantised ? nullptr : &checkpoint.view(tensor.name);
    const DType dtype = options.dtype.value_or(plain ? plain->dtype : checkpoint.dtype());
    OutTensor target{.info = {layout_name(tensor.name, options.to), dtype, tensor.shape}};
    target.produce = [=, &tensor](const ByteSink& sink) {
      quantised ? stream_tensor(*quantised, tensor.name, dtype, sink)
                : stream_tensor(*plain, tensor.name, dtype, sink);
    };
    report.bytes += target.info.size_bytes();
    tensors.push_back(std::move(target));
  }
  report.tensors = tensors.size();

  StagedFolder folder(out);
  write_side_files(config, options.to, report.dtype, folder.path());
  write_and_verify(folder.path(), tensors, options.max_shard_size, options.progress);
  folder.commit();
  return report;
}

}  // namespace vl3::weights
