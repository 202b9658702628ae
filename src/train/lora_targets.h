// Which linears a recipe's [lora] adapts. No torch here.
#pragma once

#include <vector>

#include "train/train_config.h"
#include "weights/hf_names.h"

namespace vl3::train {

/// The adapted linears under canonical names without ".weight", with their shape [out, in], in the order of
/// the data flow. A target is the last components of a linear's name ("q_proj", "self_attn.q_proj",
/// "readout.0"); earlier ones may be left out between ("vision_model.q_proj"). Linears of the decoder layers
/// go first: only a target that names none of them reaches into encoder and projector.
/// @throws Error(kInvalidArgument) for a target that is no linear's.
std::vector<weights::ExpectedTensor> lora_linears(const LoraConfig& lora, const weights::ModelConfig& config);

}  // namespace vl3::train
