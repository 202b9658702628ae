#include "weights/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "support/temp_dir.h"

namespace vl3::weights {
namespace {

using test::error_of;

template <typename To, typename From>
To convert_one(From value, DType from, DType to, uint64_t* beyond = nullptr) {
  To out{};
  const uint64_t count = convert_elements(reinterpret_cast<const std::byte*>(&value), from,
                                          reinterpret_cast<std::byte*>(&out), to, 1);
  if (beyond != nullptr) *beyond = count;
  return out;
}

uint16_t bf16(float value) { return convert_one<uint16_t>(value, DType::kF32, DType::kBF16); }

TEST(DType, NamesAndSizesAgreeBothWays) {
  for (const char* name : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "I16", "U16", "F16", "BF16",
                           "I32", "U32", "F32", "I64", "U64", "F64", "C64"}) {
    const auto dtype = parse_dtype(name);
    ASSERT_TRUE(dtype.has_value()) << name;
    EXPECT_STREQ(dtype_name(*dtype), name);
    EXPECT_GE(dtype_size(*dtype), 1);
  }
  EXPECT_FALSE(parse_dtype("F128").has_value());
  EXPECT_EQ(parse_torch_dtype("bfloat16"), DType::kBF16);
  EXPECT_NE(error_of([] { parse_torch_dtype("int8"); }).find("choose float32"), std::string::npos);
}

// The compiler's half type is the oracle, where there is one.
#ifdef __FLT16_MANT_DIG__
uint16_t f16(float value) { return convert_one<uint16_t>(value, DType::kF32, DType::kF16); }

TEST(DType, Float16AgreesWithTheCompilersForEveryHalfAndManyFloats) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(half));
    const auto got = convert_one<float>(half, DType::kF16, DType::kF32);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(got)) << bits;
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected)) << bits;
    ASSERT_EQ(f16(got), half);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    // Exponents around the half's range, so that ties, subnormals and the upper end all come up.
    const uint32_t exponent = 127 - 30 + random() % 50;
    const uint32_t sign = random() & 0x80000000;
    uint32_t mantissa = random() & 0x7fffff;
    if (i % 3 == 0) mantissa &= 0x7ff000;  // exact halves between two results
    const auto value = std::bit_cast<float>(sign | exponent << 23 | mantissa);
    ASSERT_EQ(f16(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
  }
}
#endif

TEST(DType, Bfloat16RoundsTiesToEven) {
  EXPECT_EQ(bf16(1.0f), 0x3f80);
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // tie, even below
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // tie, even above
  EXPECT_EQ(bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(bf16(-0.0f), 0x8000);
  EXPECT_EQ(bf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);  // a NaN never becomes infinity
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto wide = convert_one<float>(static_cast<uint16_t>(bits), DType::kBF16, DType::kF32);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(bf16(wide), bits);
  }
}

TEST(DType, CountsWhatLeavesTheRange) {
  uint64_t beyond = 0;
  convert_one<uint16_t>(65519.0f, DType::kF32, DType::kF16, &beyond);
  EXPECT_EQ(beyond, 0u);
  convert_one<uint16_t>(65520.0f, DType::kF32, DType::kF16, &beyond);
  EXPECT_EQ(beyond, 1u);
  convert_one<uint16_t>(std::numeric_limits<float>::infinity(), DType::kF32, DType::kF16, &beyond);
  EXPECT_EQ(beyond, 0u);
  convert_one<uint16_t>(std::numeric_limits<float>::max(), DType::kF32, DType::kBF16, &beyond);
  EXPECT_EQ(beyond, 1u);
}

TEST(DType, HalvesConvertIntoEachOtherFromUnalignedPlaces) {
  std::byte from[7], to[7];
  const uint16_t values[3] = {0x3c00, 0xc000, 0x0001};  // 1, -2, 2^-24
  std::memcpy(from + 1, values, sizeof values);
  EXPECT_EQ(convert_elements(from + 1, DType::kF16, to + 1, DType::kBF16, 3), 0u);
  uint16_t out[3];
  std::memcpy(out, to + 1, sizeof out);
  EXPECT_EQ(out[0], 0x3f80);
  EXPECT_EQ(out[1], 0xc000);
  EXPECT_EQ(out[2], 0x3380);
}

}  // namespace
}  // namespace vl3::weights
