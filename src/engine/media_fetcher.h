// What the references of one request name, fetched once: sizing a request to a memory limit opens its media
// several times, and stdin can be read only once, a URL should be. One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "media/source.h"
#include "preprocess/media_set.h"
#include "text/conversation.h"

namespace vl3::engine {

using MediaOpener = std::function<preprocess::MediaContent(const std::string& reference)>;

/// @param progress  called before each reference is fetched: stage ("open", "download", "read stdin"),
/// references done, references of the conversation; may be empty.
inline MediaOpener fetching_once(const text::Conversation& conversation, const media::MediaLimits& limits,
                                 std::function<void(const char*, int64_t, int64_t)> progress = nullptr) {
  int64_t total = 0;
  for (const text::Message& message : conversation) {
    for (const text::ContentPart& part : message.parts)
      total += static_cast<int64_t>(part.frames.size()) + (part.media.empty() ? 0 : 1);
  }
  auto fetched = std::make_shared<std::map<std::string, media::MediaData>>();
  return [=, done = int64_t{0}](const std::string& reference) mutable -> preprocess::MediaContent {
    const auto known = fetched->find(reference);
    if (known != fetched->end()) return known->second;
    const bool url = reference.starts_with("http://") || reference.starts_with("https://");
    if (progress) progress(url ? "download" : reference == "-" ? "read stdin" : "open", done++, total);
    return fetched->emplace(reference, media::open_media(reference, limits)).first->second;
  };
}

}  // namespace vl3::engine
