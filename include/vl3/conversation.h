// A conversation of text, images and videos in any mix: plain data, nothing opened or decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vl3 {

enum class Role { kSystem, kUser, kAssistant, kStream };

const char* role_name(Role role);  ///< "system", "user", "assistant", "stream"

/// kMedia: an image or a video, told apart by its content when it is opened.
enum class PartKind { kText, kImage, kVideo, kMedia };

/// Most frames of one video, and of all videos of a conversation.
inline constexpr int64_t kMaxVideoFrames = 65'536;
inline constexpr int64_t kMaxConversationFrames = 262'144;

struct ContentPart {
  PartKind kind = PartKind::kText;

  std::string text;  ///< of a text part, as is

  std::string media;  ///< image or video: path, URL, data URL or "-"; "" for a video given as frames
  std::vector<std::string> frames;  ///< a video given as pictures, in order
  std::string source;               ///< where `frames` were taken from, for people; not read

  std::optional<double> timestamp;  ///< image: seconds; remote prompts say it before the picture
  /// Video: seconds of each frame in the prompt, empty while unknown. From the caller, or from sampling
  /// `media`.
  std::vector<double> timestamps;
  bool numpy_times = false;  ///< video: `timestamps` round in the prompt as numpy's floats; set by sampling
  /// Video: frames in the prompt, where neither list above says it. Of `media`, which only the native flow
  /// takes: exactly so many, evenly chosen, in place of fps and max_frames.
  std::optional<int64_t> num_frames;

  // How to sample `media` of a video; unset: the checkpoint's defaults. With `frames` they may only tell,
  // beside `source`, how those were taken.
  std::optional<double> fps;
  /// At most. Not of folders, GIFs and windows below 1 s in the remote flow, of which fps may give more.
  std::optional<int64_t> max_frames;
  std::optional<double> start;  ///< seconds
  std::optional<double> end;    ///< seconds
  /// Remote flow, with start or end: the frames nearest to the times, as the official evaluation takes them,
  /// instead of a grid that begins at `start`.
  bool precise_time = false;

  /// Frames that the prompt shows; nullopt while a video has not been sampled. Images: 1.
  std::optional<int64_t> prompt_frames() const;
};

struct Message {
  Role role = Role::kUser;
  std::vector<ContentPart> parts;
  /// The content was one string, not a list of parts; the templates end a "stream" turn differently then.
  bool content_was_string = false;
};

using Conversation = std::vector<Message>;

/// A part holding text, or one holding a media reference.
ContentPart text_part(std::string text);
ContentPart image_part(std::string media);
ContentPart video_part(std::string media);
ContentPart media_part(std::string media);

/// A user's turn of these parts.
Message user_message(std::vector<ContentPart> parts);

}  // namespace vl3
