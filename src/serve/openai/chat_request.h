// Request bodies of /v1/chat/completions, /v1/completions, /v1/plan, /tokenize and /detokenize as jobs.
// Nothing is opened or fetched here.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "serve/queue/job.h"

namespace vl3::serve {

/// What a request may ask for at most, and what it gets where it says nothing.
struct RequestLimits {
  int64_t default_max_tokens = 1024;
  int64_t max_tokens = 32'768;
  int64_t max_n = 16;
  int64_t max_frames = 768;  ///< of one video
  int64_t max_media = 64;    ///< of a request
  int64_t vocab_size = INT64_MAX;
};

struct ApiRequest {
  Job job;
  std::string model;
  bool stream = false;
  bool include_usage = false;
  bool echo = false;                     ///< completions: the prompt stands before the answer
  bool measure_pruning = false;          ///< plan: decode the videos to count kept tokens
  std::string user_request_id;           ///< "request_id" of the body
  std::vector<std::string> media_uuids;  ///< one a medium in prompt order; "" without one
  std::vector<std::string> unknown;      ///< fields that mean nothing here
};

/// @throws ApiError(400) naming the field; ApiError(422) for content this model does not take.
ApiRequest parse_chat_request(const Json& body, const RequestLimits& limits);

/// "prompt": a string or a list of token ids, or a list of one of those.
ApiRequest parse_completion_request(const Json& body, const RequestLimits& limits);

/// "prompt" or "messages". @throws as above.
ApiRequest parse_tokenize_request(const Json& body, const RequestLimits& limits);

}  // namespace vl3::serve
