#include "serve/openai/fields.h"

#include <fmt/format.h>

#include <cmath>

#include "core/shown.h"

namespace vl3::serve {
namespace {

constexpr size_t kMaxUnread = 100;

}  // namespace

Fields::Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
  if (!json.is_object())
    throw ApiError(
        400, fmt::format("{} must be an object, found {}", where_.empty() ? "the body" : where_, shown(json)),
        where_);
}

void Fields::fail(const std::string& key, const std::string& expected) const {
  const auto it = json_.find(key);
  throw ApiError(
      400,
      fmt::format("{} must be {}, found {}", path(key), expected, it == json_.end() ? "nothing" : shown(*it)),
      path(key));
}

const Json* Fields::find(const std::string& key) {
  read_.insert(key);
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

const Json& Fields::require(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) throw ApiError(400, fmt::format("{} is missing", path(key)), path(key));
  return *value;
}

std::optional<bool> Fields::boolean(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::optional<int64_t> Fields::integer(const std::string& key, int64_t low, int64_t high) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  bool good = value->is_number_integer();
  if (good && value->is_number_unsigned()) good = value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
  if (!good || value->get<int64_t>() < low || value->get<int64_t>() > high)
    fail(key, fmt::format("a whole number from {} to {}", low, high));
  return value->get<int64_t>();
}

std::optional<double> Fields::number(const std::string& key, double low, double high) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool good = value->is_number() && std::isfinite(value->get<double>()) &&
                    value->get<double>() >= low && value->get<double>() <= high;
  if (!good) fail(key, fmt::format("a number from {} to {}", low, high));
  return value->get<double>();
}

std::optional<std::string> Fields::string(const std::string& key, size_t max_bytes) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string() || value->get_ref<const std::string&>().size() > max_bytes)
    fail(key, fmt::format("a string of at most {} bytes", max_bytes));
  return value->get<std::string>();
}

std::optional<std::vector<int64_t>> Fields::integers(const std::string& key, int64_t low, int64_t high,
                                                     size_t max_count) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  std::vector<int64_t> list;
  const std::string expected =
      fmt::format("a list of at most {} whole numbers from {} to {}", max_count, low, high);
  if (!value->is_array() || value->size() > max_count) fail(key, expected);
  for (const Json& item : *value) {
    const bool small = item.is_number_integer() && (!item.is_number_unsigned() ||
                                                    item.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
    if (!small || item.get<int64_t>() < low || item.get<int64_t>() > high) fail(key, expected);
    list.push_back(item.get<int64_t>());
  }
  return list;
}

std::optional<std::vector<std::string>> Fields::strings(const std::string& key, size_t max_count) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::vector<std::string>{value->get<std::string>()};
  const std::string expected = fmt::format("a string or a list of at most {} strings", max_count);
  if (!value->is_array() || value->size() > max_count) fail(key, expected);
  std::vector<std::string> list;
  for (const Json& item : *value) {
    if (!item.is_string()) fail(key, expected);
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::vector<std::string> Fields::unread() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : json_.items()) {
    if (names.size() < kMaxUnread && !read_.contains(key)) names.push_back(path(key));
  }
  return names;
}

void Fields::add_unread(std::vector<std::string>& names) const {
  for (std::string& name : unread()) names.push_back(std::move(name));
}

}  // namespace vl3::serve
