// Servers that speak the OpenAI chat API, as models under test and as judges.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "eval/benchmark.h"
#include "eval/run/answerer.h"

namespace vl3::eval {

struct EndpointOptions {
  std::string url = {};    ///< "http(s)://host[:port]/v1"
  std::string model = {};  ///< "": the first that the server lists
  std::string api_key = {};
  double timeout_s = 600;  ///< of one answer
  int attempts = 5;        ///< after time-outs, broken connections, 429 and 5xx
  double backoff_s = 1;    ///< before the second attempt; doubles, at most 30; the server may ask for more
  double busy_s = 600;     ///< how long a server that says 429 is asked again
  std::function<bool()> cancelled = nullptr;
};

/// One server and model. Safe from several threads.
class ChatEndpoint {
 public:
  /// Asks for the list of models, once: a wrong address or key is known before any question.
  /// @throws Error(kInvalidArgument) for a malformed URL; net::FetchError for a server that is not there or
  /// refuses the key, and where the model's name has to come from the list; Error(kCorrupt) for an empty one.
  explicit ChatEndpoint(EndpointOptions options);

  const std::string& model() const { return options_.model; }
  const std::string& url() const { return options_.url; }

  /// @param request  "messages" and sampling fields; "model" is put in.
  /// @throws net::FetchError; Error(kCorrupt) for a reply without an answer; Error(kCancelled).
  Reply complete(OrderedJson request) const;

 private:
  std::string exchange(const std::string& path, const std::string* body, int attempts) const;
  EndpointOptions options_;
};

/// The messages of a request. Images become data URLs. Of a video: its pictures as images, each behind the
/// text "Time 1.0s:"; a video that comes as a file is sent whole, as a "video_url".
OrderedJson endpoint_messages(const Conversation& conversation);

enum class VideoAs { kFrames, kUrl };

/// @param at_once  requests in flight
std::unique_ptr<Answerer> endpoint_answerer(std::shared_ptr<const ChatEndpoint> endpoint, VideoAs video,
                                            int at_once, int64_t max_tokens);

/// A judge whose usable replies are kept in `cache`, a file of JSON lines: what was asked before is not asked
/// again. A request that the server refuses is not judged; only a server that is gone, or that refuses the
/// key, ends the run.
/// @param at_once  requests in flight
std::unique_ptr<Judge> endpoint_judge(std::shared_ptr<const ChatEndpoint> endpoint,
                                      const std::filesystem::path& cache, int at_once);

}  // namespace vl3::eval
