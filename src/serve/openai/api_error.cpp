#include "serve/openai/api_error.h"

#include <new>
#include <utility>

#include "core/json.h"
#include "core/log.h"
#include "core/printable.h"
#include "serve/queue/job.h"

namespace vl3::serve {

ApiError::ApiError(int http_status, const std::string& message, std::string field, std::string code_word)
    : std::runtime_error(printable(message)),
      status_(http_status),
      param_(std::move(field)),
      code_(std::move(code_word)) {}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
      return 422;
    case ErrorCode::kResourceExhausted:
      return 413;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

ApiError to_api_error(const Error& error, const std::string& param) {
  return {http_status(error.code()), error.what(), param};
}

ApiError current_api_error() {
  try {
    throw;
  } catch (const ApiError& error) {
    return error;
  } catch (const QueueFull& error) {
    return {429, error.what(), "", "queue_full"};
  } catch (const Error& error) {
    return to_api_error(error);
  } catch (const std::bad_alloc&) {
    return {503, "out of memory; try again later or ask about less"};
  } catch (const std::exception& error) {
    logger().error("internal: {}", printable(error.what()));
    return {500, "internal error; the server's log says more"};
  }
}

const char* error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string error_json(const ApiError& error) {
  OrderedJson body = {
      {"message", error.what()}, {"type", error_type(error.status())}, {"param", nullptr}, {"code", nullptr}};
  if (!error.param().empty()) body["param"] = error.param();
  if (!error.code().empty()) body["code"] = error.code();
  return OrderedJson{{"error", body}}.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace vl3::serve
