#include "curate/engine/script_scorer.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>

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

// libtorch's messages have many lines; the first says it.
std::string first_line(const char* text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  return line;
}

class ScriptScorer : public PictureModel {
 public:
  explicit ScriptScorer(const ScorerConfig& config)
      : config_(config),
        mean_(three(config.mean, config.name + ".mean")),
        std_(three(config.std, config.name + ".std")) {
    VL3_CHECK(std::filesystem::is_regular_file(config.path), kNotFound, "scorer \"{}\": {}: no such file",
              config.name, config.path);
    try {
      module_ = torch::jit::load(config.path);
      module_.eval();
    } catch (const std::exception& error) {
      VL3_FAIL(kCorrupt, "scorer \"{}\": {}: no TorchScript model: {}", config.name, config.path,
               first_line(error.what()));
    }
  }

  std::vector<Impression> look(const std::vector<Sighting>& items) override {
    std::vector<Impression> impressions(items.size());
    if (items.empty()) return impressions;
    const c10::InferenceMode inference;
    std::vector<at::Tensor> pictures;
    for (const Sighting& item : items) pictures.push_back(prepare(*item.picture));
    at::Tensor scores;
    try {
      scores = module_.forward({at::stack(pictures)}).toTensor().to(at::kCPU, at::kDouble).contiguous();
    } catch (const std::exception& error) {
      VL3_FAIL(kInvalidArgument, "scorer \"{}\": {}: {}", config_.name, config_.path,
               first_line(error.what()));
    }
    VL3_CHECK(scores.numel() == std::ssize(items) && scores.dim() <= 2, kInvalidArgument,
              "scorer \"{}\": {} gives {} numbers for {} pictures; expected one each", config_.name,
              config_.path, scores.numel(), items.size());
    const double* values = scores.const_data_ptr<double>();
    for (size_t i = 0; i < items.size(); ++i) {
      if (std::isfinite(values[i])) impressions[i].scores[config_.name] = values[i];
    }
    return impressions;
  }

 private:
  at::Tensor prepare(const media::Frame& picture) const {
    const int64_t side = std::min(picture.height, picture.width);
    const at::Tensor whole = at::from_blob(const_cast<uint8_t*>(picture.rgb.data()),
                                           {picture.height, picture.width, 3}, at::kByte);
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

  ScorerConfig config_;
  std::array<float, 3> mean_, std_;
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<PictureModel> script_scorer(const ScorerConfig& config) {
  return std::make_unique<ScriptScorer>(config);
}

}  // namespace vl3::curate
