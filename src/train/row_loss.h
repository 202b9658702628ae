// Forward of one packed row through the model that also answers, to the sum of its tokens' losses.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>

#include "data/packed_row.h"
#include "engine/model.h"
#include "ops/packed_attention.h"
#include "preprocess/normalise.h"
#include "train/metrics.h"
#include "train/parameter_store.h"

namespace vl3::train {

/// "id, id": the samples of rows, for errors.
std::string ids_of(std::span<const data::PackedRow> rows);
std::string ids_of(const data::PackedRow& row);

struct RowLossOptions {
  int64_t loss_vocab_tile = 8192;
  bool recompute = true;  ///< activation checkpointing of decoder and encoder layers
};

class RowLoss {
 public:
  /// @param model  built from `store`; both outlive this object.
  RowLoss(const engine::VideoLlama3& model, ParameterStore& store, const weights::ModelConfig& config,
          const RowLossOptions& options);

  /// One row's graph: what backward needs stays alive with it.
  struct Result {
    at::Tensor sum;  ///< float32 scalar: cross entropy summed over labelled tokens; call backward() on it
    int64_t labelled_tokens = 0;
    AnswerScores answers;  ///< where the row says what its answers are of
    std::unique_ptr<ops::PackedSequences> sequences;
  };

  /// Frames of equal size over all media are encoded as one batch; only kept features are projected; only
  /// labelled positions go through the head. Records a graph where gradients are enabled and something
  /// trains.
  /// @throws Error(kInvalidArgument) naming the row's samples for a row whose lengths contradict each other,
  /// or a token outside the vocabulary.
  Result forward(const data::PackedRow& row) const;

 private:
  at::Tensor encode(const data::PackedRow& row) const;

  engine::VideoLlama3 model_;
  ParameterStore* store_;
  weights::ModelConfig config_;
  RowLossOptions options_;
  preprocess::NormaliseTable table_;
  bool encoder_trains_ = false;
  at::Tensor embed_sum_,
      head_sum_;  // where the gradients of the two large tables are added; undefined: frozen
};

}  // namespace vl3::train
