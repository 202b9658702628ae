// Generated questions with their media: what calibration sees and what the loss is measured on.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "synth/vocabulary.h"

namespace vl3::quantize {

struct Sample {
  std::string id;
  text::Conversation question;  ///< the user's turn
  std::string answer;
  std::map<std::string, std::shared_ptr<const preprocess::Pictures>> pictures;  ///< by the parts' references
};

/// Scenes, print, documents, charts, texts and clips in turn.
/// @param with_media  without: texts alone, for a model that has no place for media.
std::vector<Sample> generate_samples(int64_t count, synth::Split split, bool with_media);

/// The sample as a request. @param answered  with its answer as the assistant's turn.
engine::Request request_of(const engine::Runtime& runtime, const Sample& sample, bool answered);

}  // namespace vl3::quantize
