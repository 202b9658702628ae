// Errors as OpenAI's clients read them: an HTTP status and {"error": {message, type, param, code}}.
#pragma once

#include <stdexcept>
#include <string>

#include "vl3/error.h"

namespace vl3::serve {

class ApiError : public std::runtime_error {
 public:
  /// @param param  the request field, "" for none. @param code  a word clients may switch on, "" for none.
  ApiError(int http_status, const std::string& message, std::string field = "", std::string code_word = "");
  int status() const { return status_; }
  const std::string& param() const { return param_; }
  const std::string& code() const { return code_; }

 private:
  int status_;
  std::string param_, code_;
};

/// The one table of library codes as HTTP statuses: invalid argument 400, not found 404, corrupt and
/// unsupported media 422, a passed limit 413, cancelled 499, internal 500.
int http_status(ErrorCode code);
ApiError to_api_error(const Error& error, const std::string& param = "");
/// Whatever is being thrown. An exception that is none of ours is a 500 without its words.
ApiError current_api_error();

/// "invalid_request_error", "authentication_error", … of a status.
const char* error_type(int status);

/// {"error": {…}} as text.
std::string error_json(const ApiError& error);

}  // namespace vl3::serve
