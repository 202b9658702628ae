// Every row of tables/sampling.json: probabilities after penalty, temperature, top-k and top-p are
// transformers'.
#include <gtest/gtest.h>

#include <cstring>

#include "core/file.h"
#include "core/json.h"
#include "sampling/sampler.h"
#include "support/temp_dir.h"

namespace vl3::sampling {
namespace {

/// Just enough of safetensors for this table: little-endian F32 and I32 by name.
class Tensors {
 public:
  explicit Tensors(const std::filesystem::path& path) : bytes_(read_file(path, 64 << 20)) {
    uint64_t size = 0;
    std::memcpy(&size, bytes_.data(), 8);
    header_ = parse_json(std::string_view(bytes_).substr(8, size), path.string());
    begin_ = 8 + size;
  }
  template <typename T>
  std::vector<T> get(const std::string& name) const {
    const Json& offsets = header_.at(name).at("data_offsets");
    const auto from = offsets[0].get<size_t>();
    const auto to = offsets[1].get<size_t>();
    std::vector<T> values((to - from) / sizeof(T));
    std::memcpy(values.data(), bytes_.data() + begin_ + from, to - from);
    return values;
  }

 private:
  std::string bytes_;
  Json header_;
  size_t begin_ = 0;
};

TEST(GoldenSampling, ProbabilitiesAreTransformers) {
  const auto dir = test::golden_dir() / "tables";
  if (!std::filesystem::exists(dir / "sampling.json")) GTEST_SKIP() << "this set holds no sampling table";
  const Json rows = read_json_file(dir / "sampling.json");
  const Tensors tensors(dir / "sampling.safetensors");
  ASSERT_FALSE(rows.empty());
  for (size_t row = 0; row < rows.size(); ++row) {
    SCOPED_TRACE("row " + std::to_string(row) + ": " + rows[row].dump());
    SamplingOptions options;
    options.repetition_penalty = rows[row].value("repetition_penalty", 1.0);
    options.temperature = rows[row].value("temperature", 1.0);
    options.top_k = rows[row].value("top_k", int64_t{0});
    options.top_p = rows[row].value("top_p", 1.0);
    options.min_p = rows[row].value("min_p", 0.0);
    const std::string prefix = std::to_string(row) + ".";
    auto logits = tensors.get<float>(prefix + "logits");
    const auto expected = tensors.get<float>(prefix + "probs");
    const auto context = tensors.get<int32_t>(prefix + "context");
    Sampler sampler(options);
    sampler.accept_prompt(std::vector<int64_t>(context.begin(), context.end()));
    std::vector<float> found(expected.size(), 0.0f);
    for (const Candidate& c : sampler.distribution(logits))
      found.at(static_cast<size_t>(c.id)) = c.probability;
    for (size_t id = 0; id < expected.size(); ++id) {
      EXPECT_NEAR(found[id], expected[id], 1e-6) << "token " << id;
      EXPECT_EQ(found[id] == 0, expected[id] == 0) << "token " << id << " is kept by one side only";
    }
  }
}

}  // namespace
}  // namespace vl3::sampling
