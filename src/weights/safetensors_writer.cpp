#include "weights/safetensors_writer.h"

#include "core/check.h"
#include "core/json.h"

namespace vl3::weights {

uint64_t TensorInfo::size_bytes() const {
  uint64_t bytes = static_cast<uint64_t>(dtype_size(dtype));
  for (const int64_t dimension : shape) {
    VL3_CHECK(dimension >= 0 && !__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes),
              kInvalidArgument, "tensor \"{}\": shape [{}] has no size", name, fmt::join(shape, ", "));
  }
  return bytes;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::vector<TensorInfo>& tensors, const Metadata& metadata)
    : file_(path), path_(path.string()) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const TensorInfo& tensor : tensors) {
    VL3_CHECK(tensor.name != "__metadata__" && !header.contains(tensor.name), kInvalidArgument,
              "{}: tensor name \"{}\" is given twice or reserved", path_, tensor.name);
    VL3_CHECK(expected_ % static_cast<uint64_t>(dtype_size(tensor.dtype)) == 0, kInvalidArgument,
              "{}: tensor \"{}\" ({}) would begin at byte {}; write wide dtypes first", path_, tensor.name,
              dtype_name(tensor.dtype), expected_);
    const uint64_t begin = expected_;
    VL3_CHECK(!__builtin_add_overflow(expected_, tensor.size_bytes(), &expected_), kInvalidArgument,
              "{}: more than 2^64 bytes of tensors", path_);
    header[tensor.name] = {
        {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {begin, expected_}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::byte length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(text.size() >> (8 * i) & 0xff);
  file_.append(length, sizeof length);
  file_.append(text.data(), text.size());
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  VL3_CHECK(bytes.size() <= expected_ - written_, kInternal, "{}: {} bytes of data where {} were announced",
            path_, written_ + bytes.size(), expected_);
  file_.append(bytes.data(), bytes.size());
  written_ += bytes.size();
}

void SafetensorsWriter::commit() {
  VL3_CHECK(written_ == expected_, kInternal, "{}: {} bytes of data where {} were announced", path_, written_,
            expected_);
  file_.commit();
}

}  // namespace vl3::weights
