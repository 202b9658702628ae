// Request bodies of /v1/chat/completions, /v1/completions, /v1/plan and /tokenize as jobs. Nothing is opened
// or fetched here. A field that would change the answer is honoured or refused; one that means nothing here
// is passed over and named in `unknown`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "serve/queue/job.h"

namespace vl3::serve {

/// JSON values that a request's body may hold: some 100 bytes each in memory, whatever they take in the text.
inline constexpr size_t kMaxBodyValues = 1'000'000;

/// What a request may ask for at most, and what it gets where it says nothing.
struct RequestLimits {
  int64_t default_max_tokens = 1024;
  int64_t max_tokens = 32'768;  ///< also what "no limit" (-1) stands for
  int64_t max_n = 16;
  int64_t max_frames = 768;    ///< of one video
  int64_t max_media = 64;      ///< of a request
  int64_t least_priority = 0;  ///< smaller ones count as this: no client gets before all others by itself
  int64_t vocab_size = INT64_MAX;
};

struct ApiRequest {
  Job job;
  std::string model;
  bool stream = false;
  bool include_usage = false;
  /// The prompt (completions) or the last message (chats) stands before the answer: `echo_text`, or the text
  /// of job.token_ids where those are set.
  bool echo = false;
  std::string echo_text;
  bool measure_pruning = false;          ///< plan: decode the videos to count kept tokens
  std::string request_id;                ///< the client's, for the answer's id: visible ASCII, or ""
  std::vector<std::string> media_uuids;  ///< one a medium in prompt order; "" without one
  std::vector<std::string> unknown;      ///< fields that mean nothing here
};

/// @throws ApiError(400) naming the field; ApiError(422) for content this model does not take.
ApiRequest parse_chat_request(const Json& body, const RequestLimits& limits);

/// "prompt": a string or a list of token ids, or a list of one of those.
ApiRequest parse_completion_request(const Json& body, const RequestLimits& limits);

/// "prompt" or "messages". @throws as above.
ApiRequest parse_tokenize_request(const Json& body);

}  // namespace vl3::serve
