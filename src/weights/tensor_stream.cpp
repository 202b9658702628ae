#include "weights/tensor_stream.h"

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kElementsAtOnce = 2ull << 20;

void send_as(std::span<const std::byte> piece, DType from, const std::string& name, DType to,
             std::vector<std::byte>& buffer, const ByteSink& sink) {
  const uint64_t count = piece.size() / static_cast<uint64_t>(dtype_size(from));
  buffer.resize(count * static_cast<uint64_t>(dtype_size(to)));
  const uint64_t beyond = convert_elements(piece.data(), from, buffer.data(), to, count);
  VL3_CHECK(beyond == 0, kInvalidArgument,
            "tensor {}: {} weights are beyond the range of {}; choose bfloat16 or float32", name, beyond,
            torch_dtype_name(to));
  sink(buffer);
}

}  // namespace

void stream_tensor(const TensorView& view, const std::string& name, DType to, const ByteSink& sink) {
  const auto in = static_cast<uint64_t>(dtype_size(view.dtype));
  const uint64_t count = view.size_bytes / in;
  std::vector<std::byte> buffer;
  for (uint64_t begin = 0; begin < count; begin += kElementsAtOnce) {
    const uint64_t n = std::min(kElementsAtOnce, count - begin);
    const std::span<const std::byte> piece = view.bytes().subspan(begin * in, n * in);
    if (to == view.dtype) {
      sink(piece);
    } else {
      send_as(piece, view.dtype, name, to, buffer, sink);
    }
    advise_dont_need(piece);
  }
}

void stream_tensor(const QuantisedView& view, const std::string& name, DType to, const ByteSink& sink) {
  const int64_t O = view.shape[0], I = view.shape[1];
  const int64_t rows = std::max<int64_t>(1, static_cast<int64_t>(kElementsAtOnce) / I);
  std::vector<float> numbers;
  std::vector<std::byte> buffer;
  for (int64_t row = 0; row < O; row += rows) {
    const int64_t end = std::min(O, row + rows);
    numbers.resize(static_cast<size_t>((end - row) * I));
    read_dequantised(view, row, end, numbers.data());
    send_as(std::as_bytes(std::span(numbers)), DType::kF32, name, to, buffer, sink);
  }
}

}  // namespace vl3::weights
