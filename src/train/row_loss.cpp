#include "train/row_loss.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/check.h"
#include "engine/frame_pixels.h"
#include "ops/gather_rows.h"
#include "ops/tiled_cross_entropy.h"

// Letters: L tokens of the row, D hidden size, F frames of one size, N patches a frame, M merged tokens a
// frame, C values a patch, K kept visual tokens.

namespace vl3::train {
namespace {

at::Tensor to_device(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::TensorOptions(at::kLong)).to(device);
}

struct FrameSize {
  int64_t h, w, merge;
  auto operator<=>(const FrameSize&) const = default;
};

void check(const data::PackedRow& row, const weights::ModelConfig& config) {
  const auto length = static_cast<size_t>(row.length());
  VL3_CHECK(row.labels.size() == length && row.cu_seqlens.size() >= 2 && row.cu_seqlens.front() == 0 &&
                row.cu_seqlens.back() == row.length() &&
                std::is_sorted(row.cu_seqlens.begin(), row.cu_seqlens.end()),
            kInvalidArgument, "row of {}: {} tokens, {} labels and samples up to {} do not agree",
            ids_of(row), length, row.labels.size(), row.cu_seqlens.empty() ? 0 : row.cu_seqlens.back());
  const auto [lowest, highest] = std::minmax_element(row.input_ids.begin(), row.input_ids.end());
  VL3_CHECK(*lowest >= 0 && *highest < config.text.vocab_size, kInvalidArgument,
            "row of {}: token {} is outside the vocabulary of {}: is this the model's tokenizer?",
            ids_of(row), *lowest < 0 ? *lowest : *highest, config.text.vocab_size);
}

/// Learned positions that follow one another are one answer; `right` says for each whether the token was the
/// likeliest.
void count_answers(const data::PackedRow& row, const std::vector<int64_t>& learned, const at::Tensor& right,
                   AnswerScores* scores) {
  const auto hit = right.accessor<bool, 1>();
  size_t at = 0;
  for (size_t s = 0; s + 1 < row.cu_seqlens.size(); ++s) {
    std::vector<bool> answers;
    for (int64_t last = -2; at < learned.size() && learned[at] + 1 < row.cu_seqlens[s + 1]; ++at) {
      if (learned[at] != last + 1) answers.push_back(true);
      if (!hit[static_cast<int64_t>(at)]) answers.back() = false;
      last = learned[at];
    }
    const std::vector<std::string>& kinds = row.answer_kinds[s];
    for (size_t i = 0; kinds.size() == answers.size() && i < kinds.size(); ++i) {
      AnswerScore& score = (*scores)[kinds[i]];
      ++score.asked;
      if (answers[i]) ++score.right;
    }
  }
}

struct MediumFrame {
  size_t medium;
  int64_t frame;
};

/// Frames of all media, those of one size and merge together. @param C  values a patch.
std::map<FrameSize, std::vector<MediumFrame>> frames_by_size(const data::PackedRow& row, int64_t C) {
  std::map<FrameSize, std::vector<MediumFrame>> sizes;
  for (size_t m = 0; m < row.media.size(); ++m) {
    const data::VisualMedium& medium = row.media[m];
    const auto& grid = medium.grid;
    VL3_CHECK(static_cast<int64_t>(medium.patches_u8.size()) == grid.t * grid.h * grid.w * C &&
                  static_cast<int64_t>(medium.keep.size()) ==
                      grid.t * grid.h * grid.w / (medium.merge * medium.merge),
              kInvalidArgument,
              "row of {}: medium {} has {} bytes and {} tokens for a grid of {} x {} x {}, merge {}",
              ids_of(row), m, medium.patches_u8.size(), medium.keep.size(), grid.t, grid.h, grid.w,
              medium.merge);
    for (int64_t t = 0; t < grid.t; ++t) sizes[{grid.h, grid.w, medium.merge}].push_back({m, t});
  }
  return sizes;
}

/// Rows of the features that are kept, in row order. @param begins  of each frame's tokens, by medium.
std::vector<int64_t> kept_features(const data::PackedRow& row,
                                   const std::vector<std::vector<int64_t>>& begins) {
  std::vector<int64_t> kept;
  for (size_t m = 0; m < row.media.size(); ++m) {
    const data::VisualMedium& medium = row.media[m];
    const int64_t M = medium.grid.h * medium.grid.w / (medium.merge * medium.merge);
    for (int64_t t = 0; t < medium.grid.t; ++t) {
      for (int64_t i = 0; i < M; ++i) {
        if (medium.keep[static_cast<size_t>(t * M + i)])
          kept.push_back(begins[m][static_cast<size_t>(t)] + i);
      }
    }
  }
  VL3_CHECK(kept.size() == row.visual_positions.size(), kInvalidArgument,
            "row of {}: {} visual tokens are kept, but {} places wait for them", ids_of(row), kept.size(),
            row.visual_positions.size());
  return kept;
}

/// The likeliest word of each row. Of the [N, V] logits one tile exists at once, as in tiled_cross_entropy().
at::Tensor likeliest_words(const at::Tensor& hidden_ND, const at::Tensor& weight_VD, int64_t tile) {
  std::vector<at::Tensor> words;
  for (const at::Tensor& hidden : hidden_ND.split(ops::kTileTokens)) {
    at::Tensor best, word;
    for (int64_t begin = 0; begin < weight_VD.size(0); begin += tile) {
      const at::Tensor rows = weight_VD.narrow(0, begin, std::min(tile, weight_VD.size(0) - begin));
      const auto [value, index] = at::mm(hidden, rows.t()).max(1);
      const at::Tensor better = best.defined() ? value.gt(best) : at::Tensor();
      word = best.defined() ? at::where(better, index + begin, word) : index;
      best = best.defined() ? at::where(better, value, best) : value;
    }
    words.push_back(word);
  }
  return at::cat(words);
}

bool knows_answers(const data::PackedRow& row) {
  return row.answer_kinds.size() + 1 == row.cu_seqlens.size() &&
         std::any_of(row.answer_kinds.begin(), row.answer_kinds.end(),
                     [](const auto& kinds) { return !kinds.empty(); });
}

}  // namespace

std::string ids_of(std::span<const data::PackedRow> rows) {
  std::string ids;
  for (const data::PackedRow& row : rows)
    ids += fmt::format("{}{}", ids.empty() ? "" : ", ", fmt::join(row.sample_ids, ", "));
  return ids;
}
std::string ids_of(const data::PackedRow& row) { return ids_of(std::span(&row, 1)); }

RowLoss::RowLoss(const engine::VideoLlama3& model, ParameterStore& store, const weights::ModelConfig& config,
                 const RowLossOptions& options)
    : model_(model),
      store_(&store),
      config_(config),
      options_(options),
      table_(preprocess::make_normalise_table(config.preprocess)) {
  model_->vision_model->set_recompute(options.recompute);
  for (const Parameter& parameter : store.parameters()) {
    encoder_trains_ = encoder_trains_ || part_of(parameter.name) == Part::kVisionEncoder;
    if (parameter.name == "model.language_model.embed_tokens.weight") embed_sum_ = parameter.grad_sum;
    if (parameter.name == "lm_head.weight") head_sum_ = parameter.grad_sum;
  }
  if (config.text.tie_word_embeddings) head_sum_ = embed_sum_;
}

at::Tensor RowLoss::encode(const data::PackedRow& row) const {
  const int64_t C = 3 * config_.vision.patch_size * config_.vision.patch_size;
  const StoreOptions& store = store_->options();
  std::vector<at::Tensor> features;
  // Where each frame's tokens begin in the features of all sizes laid one after the other.
  std::vector<std::vector<int64_t>> begins(row.media.size());
  for (size_t m = 0; m < row.media.size(); ++m) begins[m].resize(static_cast<size_t>(row.media[m].grid.t));
  int64_t begin = 0;
  for (const auto& [size, frames] : frames_by_size(row, C)) {
    const auto F = static_cast<int64_t>(frames.size());
    const int64_t N = size.h * size.w;
    std::vector<std::span<const uint8_t>> bytes;
    for (int64_t f = 0; f < F; ++f) {
      const MediumFrame& frame = frames[static_cast<size_t>(f)];
      bytes.push_back(std::span(row.media[frame.medium].patches_u8).subspan(frame.frame * N * C, N * C));
      begins[frame.medium][static_cast<size_t>(frame.frame)] = begin + f * N / (size.merge * size.merge);
    }
    const c10::AutoGradMode recording(encoder_trains_ && c10::GradMode::is_enabled());
    const at::Tensor pixels = engine::frame_pixels(bytes, table_, config_.vision.patch_size);
    const at::Tensor y =
        model_->vision_model->forward(pixels.to(store.device, store.dtype), size.h, size.w, size.merge);
    begin += y.size(0) * y.size(1);
    features.push_back(y.reshape({-1, y.size(2)}));
  }

  const std::vector<int64_t> kept = kept_features(row, begins);
  if (kept.empty()) return {};
  const at::Tensor all = features.size() == 1 ? features[0] : at::cat(features);
  const bool every =
      static_cast<int64_t>(kept.size()) == all.size(0) && std::is_sorted(kept.begin(), kept.end());
  return model_->projector->forward(every ? all : ops::take_rows(all, to_device(kept, store.device)));
}

RowLoss::Result RowLoss::forward(const data::PackedRow& row) const {
  check(row, config_);
  const at::Device device = store_->options().device;
  std::vector<int64_t> lengths, learned, targets;
  for (size_t s = 0; s + 1 < row.cu_seqlens.size(); ++s) {
    const int64_t begin = row.cu_seqlens[s], end = row.cu_seqlens[s + 1];
    if (end > begin) lengths.push_back(end - begin);
    // The first label of a sample would be predicted by the sample before it: never learned.
    for (int64_t i = begin + 1; i < end; ++i) {
      if (row.labels[static_cast<size_t>(i)] == data::kIgnoreIndex) continue;
      learned.push_back(i - 1);
      targets.push_back(row.labels[static_cast<size_t>(i)]);
    }
  }
  Result result;
  result.labelled_tokens = static_cast<int64_t>(learned.size());
  if (learned.empty()) {
    result.sum = at::zeros({}, at::TensorOptions(at::kFloat).device(device));
    return result;
  }
  result.sequences = std::make_unique<ops::PackedSequences>(lengths, device);

  const at::Tensor& table = model_->language_model->embed_tokens_weight();
  at::Tensor x = ops::embed_rows(table, to_device(row.input_ids, device), embed_sum_);
  if (!row.media.empty()) {
    if (const at::Tensor features = encode(row); features.defined())
      x = ops::put_rows(x, to_device(row.visual_positions, device), features);
  } else {
    VL3_CHECK(row.visual_positions.empty(), kInvalidArgument, "row of {}: {} visual places, but no media",
              ids_of(row), row.visual_positions.size());
  }
  const at::Tensor hidden = model_->language_model->forward(x, *result.sequences, options_.recompute);
  const at::Tensor last = ops::take_rows(hidden, to_device(learned, device));
  const at::Tensor wanted = to_device(targets, device);
  result.sum =
      ops::tiled_cross_entropy(last, model_->head_weight(), wanted, options_.loss_vocab_tile, head_sum_);
  if (knows_answers(row)) {
    const c10::AutoGradMode off(false);
    const at::Tensor likeliest =
        likeliest_words(last.detach(), model_->head_weight().detach(), options_.loss_vocab_tile);
    count_answers(row, learned, likeliest.eq(wanted).cpu(), &result.answers);
  }
  return result;
}

}  // namespace vl3::train
