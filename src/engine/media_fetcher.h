// What the references of a conversation name, fetched once: sizing a request to a memory limit opens its
// media several times, a conversation that goes on names them with every question, and stdin can be read only
// once, a URL should be. One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "media/source.h"
#include "net/url.h"
#include "preprocess/media_set.h"
#include "text/conversation.h"

namespace vl3::engine {

using MediaOpener = std::function<preprocess::MediaContent(const std::string& reference)>;

/// What references named when they were fetched.
using FetchedMedia = std::map<std::string, media::MediaData>;

/// Between two questions: leaves what came from stdin and URLs that `conversation` still names. Files are
/// looked at anew, as they may have been written over.
inline void forget_other_media(FetchedMedia& fetched, const text::Conversation& conversation) {
  std::set<std::string> named;
  for (const text::Message& message : conversation) {
    for (const text::ContentPart& part : message.parts) {
      named.insert(part.media);
      named.insert(part.frames.begin(), part.frames.end());
    }
  }
  std::erase_if(fetched, [&](const auto& entry) {
    return !named.contains(entry.first) || !(entry.first == "-" || net::is_web_address(entry.first));
  });
}

/// @param progress  called before each reference is fetched: stage ("open", "download", "read stdin"),
/// references done, references of the conversation; may be empty.
/// @param fetched  what is there already, and will be.
inline MediaOpener fetching_once(
    const text::Conversation& conversation, const media::MediaLimits& limits,
    const std::function<void(const char*, int64_t, int64_t)>& progress = nullptr,
    const std::shared_ptr<FetchedMedia>& fetched = std::make_shared<FetchedMedia>()) {
  int64_t total = 0;
  for (const text::Message& message : conversation) {
    for (const text::ContentPart& part : message.parts)
      total += static_cast<int64_t>(part.frames.size()) + (part.media.empty() ? 0 : 1);
  }
  return [=, done = int64_t{0}](const std::string& reference) mutable -> preprocess::MediaContent {
    const auto known = fetched->find(reference);
    if (known != fetched->end()) return known->second;
    const char* stage = net::is_web_address(reference) ? "download"
                        : reference == "-"             ? "read stdin"
                                                       : "open";
    if (progress) progress(stage, done++, total);
    return fetched->emplace(reference, media::open_media(reference, limits)).first->second;
  };
}

}  // namespace vl3::engine
