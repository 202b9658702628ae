// Answers as JSON, receipts and plans as text for people.
#pragma once

#include <string>

#include "core/json.h"
#include "vl3/engine.h"

namespace vl3::cli {

OrderedJson to_json(const Answer& answer);
/// A few lines: media, frames, tokens before and after pruning, seconds a stage, memory.
std::string receipt_text(const Receipt& receipt);
std::string plan_text(const Plan& plan);

}  // namespace vl3::cli
