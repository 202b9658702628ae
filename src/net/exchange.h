// One HTTP request and its reply over one transport. httplib does the framing (request line, headers,
// Content-Length, chunks); time and size limits are ours, in the stream underneath it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "net/fetch.h"
#include "net/transport.h"

namespace vl3::net {

struct Exchange {
  std::string method;  ///< "GET", "HEAD" or "POST"
  Url url;
  std::string bearer_token;                  ///< "" sends no Authorization
  std::string body = {}, content_type = {};  ///< of a POST
  uint64_t range_start = 0;                  ///< > 0 asks for the rest from there
  uint64_t max_bytes = 0;                    ///< on the wire, for the body
  double idle_timeout_s = 30;
  Deadline deadline;
};

/// @param on_head  called when a GET's headers are in; false leaves the body unread.
/// @param on_body  the body as transferred (still gzipped where the server did that).
/// @throws FetchError(kCorrupt, retryable) for a reply that breaks off, FetchError(kCorrupt) for one that is
/// no HTTP
///         or has a line or head too long, kResourceExhausted past the limits, and what the callbacks throw.
Reply run_exchange(Transport& transport, const Exchange& exchange,
                   const std::function<bool(const Reply&)>& on_head,
                   const std::function<void(std::string_view)>& on_body);

}  // namespace vl3::net
