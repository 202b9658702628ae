#include "weights/random_init.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"
#include "core/hash.h"
#include "weights/hf_names.h"
#include "weights/model_folder.h"
#include "weights/staged_folder.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kElementsAtOnce = 1ull << 20;
constexpr size_t kLevels = 1 << 16;

// The normal distribution's quantiles at (i + 0.5) / 65536: a draw is one table look-up by 16 random bits,
// twenty times faster than a logarithm and the same on every platform. The tails end at 4.2 standard
// deviations.
const std::array<float, kLevels>& normal_quantiles() {
  static const std::array<float, kLevels> table = [] {
    std::array<float, kLevels> out{};
    double x = 0;
    for (size_t i = kLevels / 2; i < kLevels; ++i) {
      const double upper = 1 - (static_cast<double>(i) + 0.5) / kLevels;  // probability above x
      // Newton from the last quantile, which lies below: the tail is convex, so the steps never overshoot.
      for (int step = 0; step < 50; ++step) {
        const double density = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
        const double move = (std::erfc(x / M_SQRT2) / 2 - upper) / density;
        x += move;
        if (std::abs(move) < 1e-14) break;
      }
      out[i] = static_cast<float>(x);
      out[kLevels - 1 - i] = -out[i];
    }
    return out;
  }();
  return table;
}

// SplitMix64 (Steele, Lea, Flood 2014): the n-th output is a hash of seed + n, so a tensor needs no state.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;

uint64_t stream_of(uint64_t seed, const std::string& name) { return mix(seed * kGolden + fnv1a(name)); }

enum class Fill { kNormal, kOnes, kZeros };

Fill fill_of(const std::string& name) {
  if (name.ends_with(".bias")) return Fill::kZeros;
  return name.find("norm") != std::string::npos ? Fill::kOnes : Fill::kNormal;
}

// Of the linears that add to the residual stream.
double residual_factor(const std::string& name, const ModelConfig& config) {
  for (const char* linear : {".o_proj.weight", ".down_proj.weight"}) {
    if (name.ends_with(linear))
      return 1 / std::sqrt(2.0 * static_cast<double>(config.text.num_hidden_layers));
  }
  for (const char* linear : {".out_proj.weight", ".fc2.weight"}) {
    if (name.ends_with(linear))
      return 1 / std::sqrt(2.0 * static_cast<double>(config.vision.num_hidden_layers));
  }
  return 1;
}

void produce_tensor(const ExpectedTensor& tensor, uint64_t count, const RandomInitOptions& options,
                    double factor, const ByteSink& sink) {
  const Fill fill = fill_of(tensor.name);
  const auto& quantiles = normal_quantiles();
  const auto std = static_cast<float>(options.std * factor);
  const uint64_t stream = stream_of(options.seed, tensor.name);
  std::vector<float> values(std::min(count, kElementsAtOnce), fill == Fill::kOnes ? 1.0f : 0.0f);
  std::vector<std::byte> bytes;
  for (uint64_t begin = 0; begin < count; begin += kElementsAtOnce) {
    const uint64_t n = std::min(kElementsAtOnce, count - begin);
    if (fill == Fill::kNormal) {
      for (uint64_t i = 0; i < n; i += 4) {  // four draws of 16 bits each; kElementsAtOnce is a multiple of 4
        const uint64_t random = mix(stream + (begin + i + 4) / 4 * kGolden);
        for (uint64_t j = 0; j < std::min<uint64_t>(4, n - i); ++j) {
          values[i + j] = std * quantiles[random >> (16 * j) & 0xffff];
        }
      }
    }
    bytes.resize(n * static_cast<uint64_t>(dtype_size(options.dtype)));
    convert_elements(reinterpret_cast<const std::byte*>(values.data()), DType::kF32, bytes.data(),
                     options.dtype, n);
    sink(bytes);
  }
}

}  // namespace

void produce_uniform(const std::string& name, uint64_t count, double bound, uint64_t seed, DType dtype,
                     const ByteSink& sink) {
  const uint64_t stream = stream_of(seed, name);
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (uint64_t begin = 0; begin < count; begin += kElementsAtOnce) {
    const uint64_t n = std::min(kElementsAtOnce, count - begin);
    values.resize(n);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t random = mix(stream + (begin + i + 1) * kGolden);
      values[i] = static_cast<float>(bound * (static_cast<double>(random >> 11) * 0x1p-52 - 1));  // 53 bits
    }
    bytes.resize(n * static_cast<uint64_t>(dtype_size(dtype)));
    convert_elements(reinterpret_cast<const std::byte*>(values.data()), DType::kF32, bytes.data(), dtype, n);
    sink(bytes);
  }
}

void write_random_checkpoint(const ModelConfig& config, const std::filesystem::path& out,
                             const RandomInitOptions& options) {
  VL3_CHECK(is_weight_dtype(options.dtype), kInvalidArgument, "dtype {}: choose float32, bfloat16 or float16",
            dtype_name(options.dtype));
  VL3_CHECK(options.std > 0 && options.std <= 100, kInvalidArgument,
            "std {}: expected above 0 and at most 100", options.std);
  StagedFolder folder(out);
  write_side_files(config, config.layout, options.dtype, folder.path());
  const ModelConfig written = load_model_config(folder.path());  // refuses dims that no reader would take
  const std::vector<ExpectedTensor> expected = expected_tensors(written);
  std::vector<OutTensor> tensors;
  for (const ExpectedTensor& tensor : expected) {
    OutTensor target{.info = {layout_name(tensor.name, config.layout), options.dtype, tensor.shape},
                     .produce = {}};
    const uint64_t count = target.info.size_bytes() / static_cast<uint64_t>(dtype_size(options.dtype));
    const double factor = options.scale_residual ? residual_factor(tensor.name, written) : 1.0;
    target.produce = [&tensor, count, &options, factor](const ByteSink& sink) {
      produce_tensor(tensor, count, options, factor, sink);
    };
    tensors.push_back(std::move(target));
  }
  write_and_verify(folder.path(), tensors, options.max_shard_size, options.progress);
  folder.commit();
}

void write_random_checkpoint(const std::filesystem::path& config_dir, const std::filesystem::path& out,
                             const RandomInitOptions& options) {
  write_random_checkpoint(load_model_config(config_dir), out, options);
}

}  // namespace vl3::weights
