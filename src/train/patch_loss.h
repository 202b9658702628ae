// The embedded model's stage 0 for its vision encoder (objective "patch_labels"): every patch of a generated
// picture says what it shows and where it lies (data/patch_labels.h), through a head that is thrown away.
// Stands in for the image-text pre-training that a SigLIP encoder comes with; the architecture stays as it
// is.
#pragma once

#include "train/row_loss.h"

namespace vl3::train {

/// The head's place among the parameters; it is no part of the model and of no checkpoint's weights.
inline constexpr const char* kPatchHead = "model.vision_model.patch_head.weight";

Trainable patch_head(const weights::VisionConfig& config);

class PatchLoss {
 public:
  /// Begins the head anew. @param store  holds kPatchHead. @param model  built from `store`; both outlive
  /// this.
  PatchLoss(const engine::VideoLlama3& model, ParameterStore& store, const weights::ModelConfig& config,
            const RowLossOptions& options, uint64_t seed);

  /// @param row  of data::patch_sample_functions().
  /// @return the losses of all tasks summed; labelled_tokens: patches that are asked for their content;
  /// answers:
  ///   of each task, as "patch.content".
  RowLoss::Result forward(const data::PackedRow& row) const;

 private:
  engine::VideoLlama3 model_;
  weights::ModelConfig config_;
  preprocess::NormaliseTable table_;
  StoreOptions options_;
  at::Tensor head_KD_;
};

}  // namespace vl3::train
