#include "curate/engine/script_scorer.h"

#include <ATen/ATen.h>
#include <torch/script.h>

#include <sstream>

#include "core/check.h"
#include "curate/engine/model_scorer.h"

namespace vl3::curate {
namespace {

// libtorch's messages have many lines. Of a file that cannot be read the first says it; of a model that fails
// the last, behind the trace of its own code.
std::string first_line(const char* text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  return line;
}

std::string last_line(const char* text) {
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = std::move(line);
  }
  return last;
}

class ScriptScorer : public ModelScorer {
 public:
  explicit ScriptScorer(const ScorerConfig& config) : ModelScorer(config) {
    try {
      module_ = torch::jit::load(config.path);
      module_.eval();
    } catch (const std::exception& error) {
      VL3_FAIL(kCorrupt, "scorer \"{}\": {}: no TorchScript model: {}", config.name, config.path,
               first_line(error.what()));
    }
  }

 protected:
  std::vector<double> scores(const at::Tensor& pictures_BCHW) override {
    at::Tensor scores;
    try {
      scores = module_.forward({pictures_BCHW}).toTensor().to(at::kCPU, at::kDouble).contiguous();
    } catch (const std::exception& error) {
      VL3_FAIL(kInvalidArgument, "scorer \"{}\": {}: {}", config().name, config().path,
               last_line(error.what()));
    }
    const int64_t count = pictures_BCHW.size(0);
    VL3_CHECK(scores.numel() == count && scores.dim() <= 2, kInvalidArgument,
              "scorer \"{}\": {} gives {} numbers for {} pictures; expected one each", config().name,
              config().path, scores.numel(), count);
    const double* values = scores.const_data_ptr<double>();
    return {values, values + count};
  }

 private:
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<PictureModel> script_scorer(const ScorerConfig& config) {
  return std::make_unique<ScriptScorer>(config);
}

}  // namespace vl3::curate
