#include "train/row_loss.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "core/check.h"
#include "engine/frame_pixels.h"
#include "ops/gather_rows.h"
#include "ops/tiled_cross_entropy.h"

// Letters: L tokens of the row, D hidden size, C values a patch.

namespace vl3::train {
namespace {

at::Tensor to_device(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::TensorOptions(at::kLong)).to(device);
}

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

/// Of all media, in row order. @param C  values a patch.
std::vector<vision::FrameSize> frame_sizes(const data::PackedRow& row, int64_t C) {
  std::vector<vision::FrameSize> sizes;
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
    sizes.insert(sizes.end(), static_cast<size_t>(grid.t), {grid.h, grid.w, medium.merge});
  }
  return sizes;
}

/// Rows of the features that are kept.
std::vector<int64_t> kept_features(const data::PackedRow& row) {
  std::vector<int64_t> kept;
  int64_t feature = 0;
  for (const data::VisualMedium& medium : row.media) {
    for (const auto keep : medium.keep) {
      if (keep) kept.push_back(feature);
      ++feature;
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
  if (row.media.empty()) return {};
  const int64_t C = 3 * config_.vision.patch_size * config_.vision.patch_size;
  const StoreOptions& store = store_->options();
  const std::vector<vision::FrameSize> frames = frame_sizes(row, C);
  const std::vector<int64_t> kept = kept_features(row);
  std::vector<std::span<const uint8_t>> bytes;
  for (const data::VisualMedium& medium : row.media) bytes.emplace_back(medium.patches_u8);
  at::Tensor all;
  {
    const c10::AutoGradMode recording(encoder_trains_ && c10::GradMode::is_enabled());
    const at::Tensor pixels = engine::patch_pixels(bytes, table_, config_.vision.patch_size);
    all = model_->vision_model->forward(pixels.to(store.device, store.dtype), frames);
  }
  if (kept.empty()) return {};
  const bool every = static_cast<int64_t>(kept.size()) == all.size(0);
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
