// The one error type of the library. Every failure a caller can cause or meet is a vl3::Error with a code,
// one line of message and the chain of what was being done. Thread-safe in the way std::exception is.
#pragma once

#include <stdexcept>
#include <string>

namespace vl3 {

enum class ErrorCode {
  kInvalidArgument,    ///< the caller's value is wrong: flag, option, request field
  kNotFound,           ///< a file, model, tensor or URL does not exist
  kCorrupt,            ///< data from outside is broken: truncated, inconsistent, not decodable
  kUnsupported,        ///< well-formed, but outside what this build can do
  kResourceExhausted,  ///< a stated limit (memory, bytes, pixels, frames, seconds) would be passed
  kCancelled,          ///< the caller asked to stop
  kInternal,           ///< a defect of vl3 itself
};

/// The code's name as users read it ("invalid argument", "not found", …).
const char* error_code_name(ErrorCode code);

class Error : public std::runtime_error {
 public:
  /// @param message  one line: what, where, the value found, what to do next. Control characters are escaped.
  Error(ErrorCode code, const std::string& message);

  ErrorCode code() const { return code_; }

  /// The same error with "while …" put in front: Error("bad magic").with_context("loading shard 2 of 4").
  Error with_context(const std::string& context) const;

 private:
  ErrorCode code_;
};

}  // namespace vl3
