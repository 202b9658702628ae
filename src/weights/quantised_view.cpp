#include "weights/quantised_view.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.h"

namespace vl3::weights {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kValues = "", kScale = "_scale", kPacked = "_packed", kShape = "_shape";

// Of 4-bit weights: what the kernels take.
constexpr int64_t kGroups[] = {32, 64, 128};

int64_t int64_at(const TensorView& view, size_t i) {
  int64_t value;
  std::memcpy(&value, view.data + i * sizeof value, sizeof value);
  return value;
}

std::string text(const TensorView& view) {
  return fmt::format("{} [{}]", dtype_name(view.dtype), fmt::join(view.shape, ", "));
}

}  // namespace

void read_values(const QuantisedView& view, int64_t begin, int64_t end, int8_t* out) {
  const int64_t I = view.shape[1], count = (end - begin) * I;
  if (!view.packed) {
    std::memcpy(out, view.values.data + begin * I, static_cast<size_t>(count));
  } else {
    const int bits = view.scheme.bits, a_word = 32 / bits, offset = 1 << (bits - 1);
    const uint32_t mask = (1u << bits) - 1;
    const int64_t words = view.values.shape[1];
    for (int64_t row = begin; row < end; ++row) {
      const std::byte* from = view.values.data + row * words * 4;
      for (int64_t i = 0; i < I; i += a_word, from += 4) {
        uint32_t word;
        std::memcpy(&word, from, sizeof word);
        for (int64_t k = i; k < std::min<int64_t>(i + a_word, I); ++k, word >>= bits)
          *out++ = static_cast<int8_t>(static_cast<int>(word & mask) - offset);
      }
    }
    out -= count;
  }
}

void read_scales(const QuantisedView& view, int64_t begin, int64_t end, float* out) {
  const int64_t a_row = view.scales_a_row(), count = (end - begin) * a_row;
  convert_elements(view.scale.data + begin * a_row * dtype_size(view.scale.dtype), view.scale.dtype,
                   reinterpret_cast<std::byte*>(out), DType::kF32, static_cast<uint64_t>(count));
  VL3_CHECK(std::all_of(out, out + count, [](float s) { return std::isfinite(s); }), kCorrupt,
            "a scale in rows {} to {} is not finite", begin, end);
}

void read_dequantised(const QuantisedView& view, int64_t begin, int64_t end, float* out) {
  const int64_t I = view.shape[1], a_row = view.scales_a_row(), group = I / a_row;
  std::vector<int8_t> values(static_cast<size_t>((end - begin) * I));
  std::vector<float> scales(static_cast<size_t>((end - begin) * a_row));
  read_values(view, begin, end, values.data());
  read_scales(view, begin, end, scales.data());
  for (size_t i = 0; i < values.size(); ++i)
    out[i] = static_cast<float>(values[i]) * scales[i / static_cast<size_t>(group)];
}

std::vector<int32_t> pack_int4(std::span<const int8_t> values) {
  VL3_DCHECK(values.size() % 8 == 0);
  std::vector<int32_t> words(values.size() / 8);
  for (size_t w = 0; w < words.size(); ++w) {
    uint32_t word = 0;
    for (size_t k = 0; k < 8; ++k) word |= static_cast<uint32_t>(values[w * 8 + k] + 8) << (4 * k);
    words[w] = static_cast<int32_t>(word);
  }
  return words;
}

bool QuantisedParts::take(const std::string& name, const TensorView& view) {
  for (const std::string_view suffix : {kScale, kPacked, kShape, kValues}) {
    if (!name.ends_with(std::string(kWeight) + std::string(suffix))) continue;
    if (suffix == kValues && view.dtype != DType::kI8) return false;
    parts_[name.substr(0, name.size() - suffix.size())].emplace(suffix, view);
    return true;
  }
  return false;
}

QuantisedView QuantisedParts::assemble(const std::string& weight, const std::vector<int64_t>& shape) const {
  const auto& parts = parts_.at(weight);
  const auto scale = parts.find(kScale), plain = parts.find(kValues), packed = parts.find(kPacked);
  VL3_CHECK(shape.size() == 2, kUnsupported, "only matrices may be quantised, not [{}]",
            fmt::join(shape, ", "));
  VL3_CHECK(scale != parts.end(), kCorrupt, "weight_scale is missing");
  VL3_CHECK((plain != parts.end()) != (packed != parts.end()), kCorrupt,
            "either an I8 weight or a weight_packed is expected");
  QuantisedView view{.scheme = {},
                     .packed = plain == parts.end(),
                     .shape = shape,
                     .values = plain == parts.end() ? packed->second : plain->second,
                     .scale = scale->second};
  const std::vector<int64_t>&found = view.values.shape, &scales = view.scale.shape;
  const int64_t O = shape[0], I = shape[1];
  if (view.packed) {
    const bool four = found == std::vector<int64_t>{O, (I + 7) / 8};
    view.scheme.bits = four ? 4 : 8;
    VL3_CHECK(view.values.dtype == DType::kI32 && (four || found == std::vector<int64_t>{O, (I + 3) / 4}),
              kCorrupt, "weight_packed {} does not hold [{}] in 4 or 8 bits", text(view.values),
              fmt::join(shape, ", "));
    const auto told = parts.find(kShape);
    VL3_CHECK(told != parts.end() && told->second.dtype == DType::kI64 &&
                  told->second.shape == std::vector<int64_t>{2} && int64_at(told->second, 0) == O &&
                  int64_at(told->second, 1) == I,
              kCorrupt, "weight_shape does not say [{}]", fmt::join(shape, ", "));
  } else {
    VL3_CHECK(found == shape, kCorrupt, "weight {}, expected [{}]", text(view.values),
              fmt::join(shape, ", "));
  }
  VL3_CHECK(is_weight_dtype(view.scale.dtype) && scales.size() == 2 && scales[0] == O && scales[1] > 0 &&
                I % scales[1] == 0,
            kCorrupt, "weight_scale {} does not fit [{}]", text(view.scale), fmt::join(shape, ", "));
  if (view.scheme.bits == 4) {
    view.scheme.group = I / scales[1];
    VL3_CHECK(std::ranges::find(kGroups, view.scheme.group) != std::end(kGroups), kUnsupported,
              "{} inputs a scale; 4-bit weights are read in groups of {}", view.scheme.group,
              fmt::join(kGroups, ", "));
  } else {
    VL3_CHECK(scales[1] == 1, kUnsupported, "{} scales a row; 8-bit weights are read with one", scales[1]);
  }
  return view;
}

std::vector<std::string> QuantisedParts::weights() const {
  std::vector<std::string> names;
  for (const auto& [weight, parts] : parts_) names.push_back(weight);
  return names;
}

}  // namespace vl3::weights
