// Items as conversations: one user message, no system message, media before or between the text. Decodes a
// video once for all questions about it, where pictures or times are needed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "eval/data/item.h"
#include "eval/run/frames.h"
#include "vl3/conversation.h"

namespace vl3::eval {

/// One thread; one a group of questions.
class ConversationBuilder {
 public:
  /// @param pictures  every video becomes pictures with times
  ConversationBuilder(const Sampling& sampling, bool pictures) : sampling_(sampling), pictures_(pictures) {}

  /// @throws Error for media and subtitles that are missing or broken.
  Conversation build(const Item& item);

 private:
  struct Video {
    std::vector<double> times;
    std::vector<std::string> pictures;  // data URLs of PNG
  };
  const std::vector<double>& times_of(const Medium& video);
  const Video& pictures_of(const Medium& video);
  ContentPart video_part(const Medium& video, size_t first, size_t count);

  Sampling sampling_;
  bool pictures_;
  std::map<std::string, Video> videos_;
};

/// "data:TYPE;base64,…"; the type by the first bytes.
std::string data_url(const std::string& bytes);

}  // namespace vl3::eval
