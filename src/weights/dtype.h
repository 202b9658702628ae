// Element types of safetensors files and the rounding between the three that hold weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vl3::weights {

enum class DType {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
  kC64,
};

/// Bytes of one element.
int64_t dtype_size(DType dtype);

/// The format's spelling: "F32", "BF16", "F8_E4M3", …
const char* dtype_name(DType dtype);
std::optional<DType> parse_dtype(std::string_view name);

/// F32, BF16 and F16: what a model's weights may be stored in.
bool is_weight_dtype(DType dtype);

/// "float32", "bfloat16", "float16" as configs and flags spell them. @throws Error(kInvalidArgument) for
/// others.
DType parse_torch_dtype(const std::string& name);
/// @param dtype  one that is_weight_dtype() accepts.
const char* torch_dtype_name(DType dtype);

/// Converts `count` elements between weight dtypes, rounding to nearest, ties to even; NaN stays NaN.
/// Neither pointer needs alignment; the ranges must not overlap.
/// @return how many finite elements became infinite (beyond the target's range).
uint64_t convert_elements(const std::byte* source, DType from, std::byte* target, DType to, uint64_t count);

}  // namespace vl3::weights
