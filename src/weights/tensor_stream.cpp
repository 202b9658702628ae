#include "weights/tensor_stream.h"

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kElementsAtOnce = 2ull << 20;

}  // namespace

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

}  // namespace vl3::weights
