// The media of a conversation, opened and looked at but not decoded: kind, size, which frames, at what times.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/flow.h"
#include "engine/visual_stream.h"
#include "media/source.h"
#include "preprocess/media_item.h"
#include "text/conversation.h"
#include "weights/model_config.h"

namespace vl3::engine {

/// One image or video of the conversation.
struct MediaEntry {
  size_t message = 0;  ///< place in the conversation
  size_t part = 0;
  std::string name;  ///< for people
  std::string key;   ///< equal for equal content and equal choice of frames; for caches
  preprocess::MediaShape shape;
  std::vector<double>
      timestamps;  ///< of the frames as the prompt says them; may be empty (remote: none said)
  std::vector<int64_t> source_index;  ///< of the frames in the file; empty for pictures
  std::optional<double> duration_s;
  bool numpy_times = false;  ///< the official loader's rounding of times
  std::function<FrameSource()> open;
};

/// Opens every medium of `conversation` in prompt order; parts of kind kMedia become images or videos.
/// @throws Error naming the medium.
std::vector<MediaEntry> open_media_set(text::Conversation& conversation,
                                       const weights::PreprocessConfig& config,
                                       const media::MediaLimits& limits);

}  // namespace vl3::engine
