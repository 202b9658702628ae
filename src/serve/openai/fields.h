// Reading the fields of a request's JSON object: types and ranges checked, the place named as `param`, and
// what was never read remembered.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "serve/openai/api_error.h"

namespace vl3::serve {

class Fields {
 public:
  /// @param where  "" for the request itself, "stream_options" for an object inside.
  /// @throws ApiError(400) where `json` is no object.
  Fields(const Json& json, std::string where);

  /// Null counts as absent.
  const Json* find(const std::string& key);
  const Json& require(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<int64_t> integer(const std::string& key, int64_t low, int64_t high);
  std::optional<double> number(const std::string& key, double low, double high);
  std::optional<std::string> string(const std::string& key, size_t max_bytes = 1 << 20);
  std::optional<std::vector<int64_t>> integers(const std::string& key, int64_t low, int64_t high,
                                               size_t max_count);
  /// A string or a list of strings.
  std::optional<std::vector<std::string>> strings(const std::string& key, size_t max_count);

  /// Keys that none of the calls above asked for, the first hundred.
  std::vector<std::string> unread() const;
  void add_unread(std::vector<std::string>& names) const;
  std::string path(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

 private:
  const Json& json_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace vl3::serve
