#include "weights/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/check.h"

namespace vl3::weights {
namespace {

struct Entry {
  DType dtype;
  const char* name;
  int64_t size;
};

constexpr std::array kTable = {
    Entry{DType::kBool, "BOOL", 1},      Entry{DType::kU8, "U8", 1},
    Entry{DType::kI8, "I8", 1},          Entry{DType::kF8E5M2, "F8_E5M2", 1},
    Entry{DType::kF8E4M3, "F8_E4M3", 1}, Entry{DType::kF8E8M0, "F8_E8M0", 1},
    Entry{DType::kI16, "I16", 2},        Entry{DType::kU16, "U16", 2},
    Entry{DType::kF16, "F16", 2},        Entry{DType::kBF16, "BF16", 2},
    Entry{DType::kI32, "I32", 4},        Entry{DType::kU32, "U32", 4},
    Entry{DType::kF32, "F32", 4},        Entry{DType::kI64, "I64", 8},
    Entry{DType::kU64, "U64", 8},        Entry{DType::kF64, "F64", 8},
    Entry{DType::kC64, "C64", 8},
};

const Entry& entry(DType dtype) { return kTable[static_cast<size_t>(dtype)]; }

uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

float from_bf16(uint16_t half) { return std::bit_cast<float>(static_cast<uint32_t>(half) << 16); }

uint16_t to_bf16(float value) {
  const uint32_t u = bits(value);
  if (std::isnan(value)) return static_cast<uint16_t>((u >> 16) | 0x40);  // quiet, sign and payload kept
  return static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

float from_f16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  uint32_t u;
  if (magnitude >= 0x7c00) {
    u = 0x7f800000 | (magnitude & 0x3ff) << 13;
  } else if (magnitude >= 0x400) {
    u = (magnitude << 13) + ((127 - 15) << 23);
  } else {  // subnormal: magnitude * 2^-24, exact in float32
    u = bits(static_cast<float>(magnitude) * 0x1p-24f);
  }
  return std::bit_cast<float>(u | sign);
}

uint16_t to_f16(float value) {
  const uint32_t sign = bits(value) >> 16 & 0x8000;
  uint32_t u = bits(value) & 0x7fffffff;
  if (u > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (u >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);  // 65536 and above
  if (u < 0x38800000) {
    // Below 2^-14: adding 0.5 lets the float adder round at the subnormal's last place, 2^-24.
    const float shifted = std::bit_cast<float>(u) + 0.5f;
    return static_cast<uint16_t>(sign | (bits(shifted) - bits(0.5f)));
  }
  u += 0xfff + (u >> 13 & 1);  // may carry into the exponent, and from 65520 on to infinity
  return static_cast<uint16_t>(sign | ((u >> 13) - ((127 - 15) << 10)));
}

float load(const std::byte* source, DType from) {
  if (from == DType::kF32) {
    float value;
    std::memcpy(&value, source, sizeof value);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, source, sizeof half);
  return from == DType::kBF16 ? from_bf16(half) : from_f16(half);
}

template <DType from, DType to>
uint64_t convert(const std::byte* source, std::byte* target, uint64_t count) {
  constexpr size_t in = from == DType::kF32 ? 4 : 2;
  constexpr size_t out = to == DType::kF32 ? 4 : 2;
  uint64_t overflowed = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const float value = load(source + i * in, from);
    if constexpr (to == DType::kF32) {
      std::memcpy(target + i * out, &value, out);
    } else {
      const uint16_t half = to == DType::kBF16 ? to_bf16(value) : to_f16(value);
      constexpr uint16_t infinity = to == DType::kBF16 ? 0x7f80 : 0x7c00;
      overflowed += (half & 0x7fff) == infinity && std::isfinite(value);
      std::memcpy(target + i * out, &half, out);
    }
  }
  return overflowed;
}

}  // namespace

int64_t dtype_size(DType dtype) { return entry(dtype).size; }

const char* dtype_name(DType dtype) { return entry(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const Entry& e : kTable) {
    if (name == e.name) return e.dtype;
  }
  return std::nullopt;
}

bool is_weight_dtype(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16;
}

DType parse_torch_dtype(const std::string& name) {
  if (name == "float32") return DType::kF32;
  if (name == "bfloat16") return DType::kBF16;
  if (name == "float16") return DType::kF16;
  VL3_FAIL(kInvalidArgument, "dtype \"{}\": choose float32, bfloat16 or float16", name);
}

const char* torch_dtype_name(DType dtype) {
  VL3_DCHECK(is_weight_dtype(dtype));
  return dtype == DType::kF32 ? "float32" : dtype == DType::kBF16 ? "bfloat16" : "float16";
}

uint64_t convert_elements(const std::byte* source, DType from, std::byte* target, DType to, uint64_t count) {
  VL3_DCHECK(is_weight_dtype(from) && is_weight_dtype(to));
  if (from == to) {
    if (count > 0) std::memcpy(target, source, count * static_cast<uint64_t>(dtype_size(to)));
    return 0;
  }
  if (from == DType::kF32) {
    return to == DType::kBF16 ? convert<DType::kF32, DType::kBF16>(source, target, count)
                              : convert<DType::kF32, DType::kF16>(source, target, count);
  }
  if (from == DType::kBF16) {
    return to == DType::kF32 ? convert<DType::kBF16, DType::kF32>(source, target, count)
                             : convert<DType::kBF16, DType::kF16>(source, target, count);
  }
  return to == DType::kF32 ? convert<DType::kF16, DType::kF32>(source, target, count)
                           : convert<DType::kF16, DType::kBF16>(source, target, count);
}

}  // namespace vl3::weights
