// Request bodies for tests of their fields.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "serve/openai/api_error.h"
#include "serve/openai/chat_request.h"

namespace vl3::test {

/// A chat of one message, with these fields beside it.
inline serve::ApiRequest parse_chat(const std::string& fields, const serve::RequestLimits& limits = {}) {
  Json body = parse_json(fields, "test");
  if (!body.contains("messages")) body["messages"] = {{{"role", "user"}, {"content", "hi"}}};
  return serve::parse_chat_request(body, limits);
}

/// A completion of "abc", with these fields beside it.
inline serve::ApiRequest parse_completion(const std::string& fields,
                                          const serve::RequestLimits& limits = {}) {
  Json body = parse_json(fields, "test");
  if (!body.contains("prompt")) body["prompt"] = "abc";
  return serve::parse_completion_request(body, limits);
}

/// The field that `action` is refused for, with a 400.
template <typename Action>
std::string param_of(const Action& action) {
  try {
    action();
  } catch (const serve::ApiError& error) {
    EXPECT_EQ(error.status(), 400) << error.what();
    return error.param();
  }
  return "nothing failed";
}

inline std::string failing_param(const std::string& fields, const serve::RequestLimits& limits = {}) {
  return param_of([&] { parse_chat(fields, limits); });
}

}  // namespace vl3::test
