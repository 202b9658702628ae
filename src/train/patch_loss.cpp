#include "train/patch_loss.h"

#include <ATen/Context.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <numeric>

#include "data/patch_labels.h"
#include "engine/frame_pixels.h"

// Letters: P patches of all pictures, C values a patch, D hidden size, K classes of all tasks.

namespace vl3::train {
namespace {

constexpr std::array<const char*, data::kPatchTasks> kTaskNames = {"patch.content", "patch.colour",
                                                                   "patch.row", "patch.column"};

at::Tensor score(const at::Tensor& logits_PK, const at::Tensor& labels_PT, AnswerScores* answers) {
  at::Tensor total;
  int64_t begin = 0;
  for (int64_t task = 0; task < data::kPatchTasks; ++task) {
    const int64_t classes = data::kPatchClasses[static_cast<size_t>(task)];
    const at::Tensor logits = logits_PK.narrow(1, begin, classes), labels = labels_PT.select(1, task);
    begin += classes;
    const at::Tensor loss =
        at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, data::kIgnoreIndex);
    total = total.defined() ? total + loss : loss;
    const c10::AutoGradMode off(false);
    AnswerScore& answer = (*answers)[kTaskNames[static_cast<size_t>(task)]];
    answer.asked += labels.ne(data::kIgnoreIndex).sum().item<int64_t>();
    answer.right += logits.argmax(1).eq(labels).sum().item<int64_t>();
  }
  return total;
}

}  // namespace

Trainable patch_head(const weights::VisionConfig& config) {
  return {kPatchHead,
          {std::accumulate(data::kPatchClasses.begin(), data::kPatchClasses.end(), int64_t{0}),
           config.hidden_size}};
}

PatchLoss::PatchLoss(const engine::VideoLlama3& model, ParameterStore& store,
                     const weights::ModelConfig& config, const RowLossOptions& options, uint64_t seed)
    : model_(model),
      config_(config),
      table_(preprocess::make_normalise_table(config.preprocess)),
      options_(store.options()),
      head_KD_(store.find(kPatchHead)->weight) {
  model_->vision_model->set_recompute(options.recompute);
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU).clone();
  generator.set_current_seed(seed);
  const c10::AutoGradMode off(false);
  head_KD_.copy_(at::empty(head_KD_.sizes(), at::kFloat).normal_(0, 0.02, generator));
}

RowLoss::Result PatchLoss::forward(const data::PackedRow& row) const {
  std::vector<std::span<const uint8_t>> bytes;
  std::vector<vision::FrameSize> frames;
  for (const data::VisualMedium& picture : row.media) {
    bytes.emplace_back(picture.patches_u8);
    frames.push_back({picture.grid.h, picture.grid.w, /*merge=*/1});
  }
  RowLoss::Result result;
  result.sum = at::zeros({}, at::TensorOptions(at::kFloat).device(options_.device));
  if (frames.empty()) return result;
  const at::Tensor pixels_PC = engine::patch_pixels(bytes, table_, config_.vision.patch_size);
  const at::Tensor features_PD =
      model_->vision_model->forward(pixels_PC.to(options_.device, options_.dtype), frames);
  const at::Tensor logits_PK = at::linear(features_PD, head_KD_).to(at::kFloat);
  const at::Tensor labels_PT =
      at::tensor(row.labels, at::kLong).view({-1, data::kPatchTasks}).to(options_.device);
  result.sum = result.sum + score(logits_PK, labels_PT, &result.answers);
  result.labelled_tokens = result.answers[kTaskNames[0]].asked;
  return result;
}

}  // namespace vl3::train
