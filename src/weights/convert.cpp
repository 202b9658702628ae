#include "weights/convert.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "weights/checkpoint.h"
#include "weights/model_folder.h"
#include "weights/staged_folder.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kElementsAtOnce = 2ull << 20;

// Streams one tensor out of the map; pages already written are dropped, so that memory does not grow with the
// file.
void stream_tensor(const TensorView& view, const std::string& name, DType to, const ByteSink& sink) {
  const auto in = static_cast<uint64_t>(dtype_size(view.dtype)), out = static_cast<uint64_t>(dtype_size(to));
  const uint64_t count = view.size_bytes / in;
  std::vector<std::byte> buffer;
  for (uint64_t begin = 0; begin < count; begin += kElementsAtOnce) {
    const uint64_t n = std::min(kElementsAtOnce, count - begin);
    const std::span<const std::byte> piece = view.bytes().subspan(begin * in, n * in);
    if (to == view.dtype) {
      sink(piece);
    } else {
      buffer.resize(n * out);
      const uint64_t beyond = convert_elements(piece.data(), view.dtype, buffer.data(), to, n);
      VL3_CHECK(beyond == 0, kInvalidArgument,
                "tensor {}: {} weights are beyond the range of {}; choose bfloat16 or float32", name, beyond,
                torch_dtype_name(to));
      sink(buffer);
    }
    advise_dont_need(piece);
  }
}

}  // namespace

ConvertReport convert_checkpoint(const std::filesystem::path& source, const std::filesystem::path& out,
                                 const ConvertOptions& options) {
  VL3_CHECK(!options.dtype || is_weight_dtype(*options.dtype), kInvalidArgument,
            "dtype {}: choose float32, bfloat16 or float16", dtype_name(options.dtype.value_or(DType::kF32)));
  const ModelConfig config = load_model_config(source);
  const Checkpoint checkpoint = Checkpoint::open(source, config);
  ConvertReport report{.dtype = options.dtype.value_or(checkpoint.dtype())};

  std::vector<OutTensor> tensors;
  for (const ExpectedTensor& tensor : checkpoint.tensors()) {
    const TensorView& view = checkpoint.view(tensor.name);
    const DType dtype = options.dtype.value_or(view.dtype);
    OutTensor target{.info = {layout_name(tensor.name, options.to), dtype, tensor.shape}};
    target.produce = [&view, &tensor, dtype](const ByteSink& sink) {
      stream_tensor(view, tensor.name, dtype, sink);
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
