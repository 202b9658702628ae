// Reading JSON from outside: one clear Error instead of an exception zoo, unknown keys found, sizes limited.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vl3 {

using Json = nlohmann::json;
/// Keeps the order keys were written in; for files people read.
using OrderedJson = nlohmann::ordered_json;

/// @param what  named in the error ("config.json of /models/x").
/// @param max_values  of all lists and objects together, and the text itself: two bytes of text can become a
///   hundred in memory, so text from outside needs a bound of its own. Counted before anything is built.
/// @throws Error(kCorrupt) for malformed or non-UTF-8 text, or nesting deeper than 200;
///   Error(kResourceExhausted) for more than max_values.
Json parse_json(std::string_view text, const std::string& what, size_t max_values = SIZE_MAX);

/// @throws Error(kNotFound), Error(kResourceExhausted) past max_bytes, Error(kCorrupt).
Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes = 256ull << 20);

/// Typed access that names the file, the key and the value found.
///   JsonView config(json, "config.json"); config.integer("hidden_size"); config.number("fps", 1.0);
class JsonView {
 public:
  /// @throws Error(kCorrupt) when `json` is not an object.
  JsonView(const Json& json, std::string where);

  bool has(const std::string& key) const;  ///< present and not null
  int64_t integer(const std::string& key, int64_t min_value = INT64_MIN, int64_t max_value = INT64_MAX) const;
  int64_t integer_or(const std::string& key, int64_t fallback, int64_t min_value = INT64_MIN,
                     int64_t max_value = INT64_MAX) const;
  double number(const std::string& key) const;
  double number_or(const std::string& key, double fallback) const;
  bool boolean_or(const std::string& key, bool fallback) const;
  std::string string(const std::string& key) const;
  std::string string_or(const std::string& key, const std::string& fallback) const;
  JsonView object(const std::string& key) const;
  const Json& at(const std::string& key) const;
  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

 private:
  const Json& json_;
  std::string where_;
};

}  // namespace vl3
