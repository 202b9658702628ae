#include "curate/engine/model_scorer.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/check.h"

namespace vl3::curate {
namespace {

std::array<float, 3> three(const std::vector<std::string>& texts, const std::string& what) {
  std::array<float, 3> values{};
  for (size_t i = 0; i < 3; ++i) {
    char* end = nullptr;
    values[i] = std::strtof(texts[i].c_str(), &end);
    VL3_CHECK(!texts[i].empty() && *end == '\0', kInvalidArgument, "{}: \"{}\" is no number", what, texts[i]);
  }
  return values;
}

}  // namespace

ModelScorer::ModelScorer(const ScorerConfig& config)
    : config_(config),
      mean_(three(config.mean, config.name + ".mean")),
      std_(three(config.std, config.name + ".std")) {
  VL3_CHECK(std::filesystem::is_regular_file(config.path), kNotFound, "scorer \"{}\": {}: no such file",
            config.name, config.path);
}

std::vector<Impression> ModelScorer::look(const std::vector<Sighting>& items) {
  std::vector<Impression> impressions(items.size());
  if (items.empty()) return impressions;
  const c10::InferenceMode inference;
  std::vector<at::Tensor> pictures;
  for (const Sighting& item : items) pictures.push_back(input_of(*item.picture));
  const std::vector<double> values = scores(at::stack(pictures));
  for (size_t i = 0; i < items.size(); ++i) {
    if (std::isfinite(values[i])) impressions[i].scores[config_.name] = values[i];
  }
  return impressions;
}

at::Tensor ModelScorer::input_of(const media::Frame& picture) const {
  const int64_t side = std::min(picture.height, picture.width);
  const at::Tensor whole =
      at::from_blob(const_cast<uint8_t*>(picture.rgb.data()), {picture.height, picture.width, 3}, at::kByte);
  const at::Tensor square = whole.narrow(0, (picture.height - side) / 2, side)
                                .narrow(1, (picture.width - side) / 2, side)
                                .permute({2, 0, 1})
                                .to(at::kFloat)
                                .unsqueeze(0);
  const at::Tensor sized = at::_upsample_bilinear2d_aa(square, at::IntArrayRef{config_.side, config_.side},
                                                       false, std::nullopt, std::nullopt)
                               .squeeze(0) /
                           255;
  const auto options = at::TensorOptions(at::kFloat);
  const at::Tensor mean = at::tensor({mean_[0], mean_[1], mean_[2]}, options).view({3, 1, 1});
  const at::Tensor deviation = at::tensor({std_[0], std_[1], std_[2]}, options).view({3, 1, 1});
  return (sized - mean) / deviation;
}

}  // namespace vl3::curate
