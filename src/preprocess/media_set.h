// The media of a conversation, opened and looked at but not decoded: kind, size, which frames, at what times.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/flow.h"
#include "media/frame.h"
#include "media/source.h"
#include "media/warnings.h"
#include "preprocess/media_item.h"
#include "text/conversation.h"
#include "weights/model_config.h"

namespace vl3::preprocess {

/// Pictures that exist only in memory, decoded: an image, or the chosen frames of a video with their times.
struct Pictures {
  std::vector<media::Frame> frames;  ///< all of one size, at least one
  std::vector<double> timestamps;    ///< seconds, one a frame; empty for an image
};

/// What a reference stands for.
using MediaContent = std::variant<media::MediaData, std::shared_ptr<const Pictures>>;

/// One image or video of the conversation.
struct MediaEntry {
  size_t message = 0;  ///< place in the conversation
  size_t part = 0;
  std::string name;  ///< for people
  std::string key;   ///< equal for equal content and equal choice of frames; for caches
  MediaShape shape;
  std::vector<double>
      timestamps;  ///< of the frames as the prompt says them; may be empty (remote: none said)
  std::vector<int64_t> source_index;  ///< of the frames in the file; empty for pictures
  std::optional<double> duration_s;
  bool damaged = false;  ///< a video that is cut off or whose tail is broken; frames are those before that
  /// Never null. What is known when it was opened, then what the sources that open() gave came across:
  /// complete once the last frame is taken.
  std::shared_ptr<media::Warnings> warnings = std::make_shared<media::Warnings>();
  bool numpy_times = false;  ///< the official loader's rounding of times
  std::function<media::FrameSource()> open;
};

/// Describes one medium in place of opening it in this process: all of MediaEntry but message and part, and
/// the part's kind where it was kMedia. May be called from any thread.
using PartDescriber = std::function<MediaEntry(text::ContentPart& part)>;

struct MediaSetOptions {
  media::MediaLimits limits = {};
  /// Finds what a reference names; unset: media::open_media(). May be called from any thread.
  std::function<MediaContent(const std::string& reference)> opener = nullptr;
  bool keys = true;         ///< fill MediaEntry::key, which hashes bytes in memory
  int decoder_threads = 2;  ///< of each video
  PartDescriber describe = nullptr;
};

/// Opens every medium of `conversation` in prompt order; parts of kind kMedia become images or videos.
/// Pictures in memory are taken as they are; of a video of more than config.max_frames, evenly chosen ones.
/// @throws Error naming the medium.
std::vector<MediaEntry> open_media_set(text::Conversation& conversation,
                                       const weights::PreprocessConfig& config,
                                       const MediaSetOptions& options);

}  // namespace vl3::preprocess
