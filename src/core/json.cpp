#include "core/json.h"

#include <cmath>

#include "core/check.h"
#include "core/file.h"
#include "core/shown.h"

namespace vl3 {
namespace {

constexpr int kMaxDepth = 200;

}  // namespace

std::string shown(const Json& value) {
  if (value.is_structured() && value.size() > 20) return value.is_array() ? "a long list" : "a large object";
  if (value.is_string() && value.get_ref<const std::string&>().size() > 60) return "a long string";
  const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

Json parse_json(std::string_view text, const std::string& what, size_t max_values) {
  // A first pass bounds the nesting, so that building or destroying the tree cannot exhaust the stack, and
  // the values, so that it cannot exhaust the memory.
  int depth = 0;
  size_t values = 1;
  bool in_string = false, opened = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    // A list or object holds one value more than commas, unless it closes at once.
    if (c == ',' || (opened && c != ']' && c != '}')) {
      VL3_CHECK(++values <= max_values, kResourceExhausted, "{}: more than {} JSON values", what, max_values);
    }
    opened = c == '{' || c == '[';
    if (c == '"') {
      in_string = true;
    } else if (opened) {
      VL3_CHECK(++depth <= kMaxDepth, kCorrupt, "{}: JSON nested deeper than {} levels", what, kMaxDepth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    std::string reason = e.what();
    if (const size_t end = reason.find("] "); end != std::string::npos) reason = reason.substr(end + 2);
    VL3_FAIL(kCorrupt, "{}: not valid JSON: {}", what, reason);
  }
}

Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

JsonView::JsonView(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
  VL3_CHECK(json.is_object(), kCorrupt, "{}: expected a JSON object, found {}", where_, shown(json));
}

bool JsonView::has(const std::string& key) const {
  const auto it = json_.find(key);
  return it != json_.end() && !it->is_null();
}

const Json& JsonView::at(const std::string& key) const {
  const auto it = json_.find(key);
  VL3_CHECK(it != json_.end(), kCorrupt, "{}: key \"{}\" is missing", where_, key);
  return *it;
}

int64_t JsonView::integer(const std::string& key, int64_t min_value, int64_t max_value) const {
  const Json& value = at(key);
  VL3_CHECK(value.is_number_integer() && !(value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX),
            kCorrupt, "{}: \"{}\" must be an integer, found {}", where_, key, shown(value));
  const auto number = value.get<int64_t>();
  VL3_CHECK(number >= min_value && number <= max_value, kCorrupt, "{}: \"{}\" is {}, outside {}..{}", where_,
            key, number, min_value, max_value);
  return number;
}

int64_t JsonView::integer_or(const std::string& key, int64_t fallback, int64_t min_value,
                             int64_t max_value) const {
  return has(key) ? integer(key, min_value, max_value) : fallback;
}

double JsonView::number(const std::string& key) const {
  const Json& value = at(key);
  VL3_CHECK(value.is_number() && std::isfinite(value.get<double>()), kCorrupt,
            "{}: \"{}\" must be a finite number, found {}", where_, key, shown(value));
  return value.get<double>();
}

double JsonView::number_or(const std::string& key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool JsonView::boolean_or(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  const Json& value = at(key);
  VL3_CHECK(value.is_boolean(), kCorrupt, "{}: \"{}\" must be true or false, found {}", where_, key,
            shown(value));
  return value.get<bool>();
}

std::string JsonView::string(const std::string& key) const {
  const Json& value = at(key);
  VL3_CHECK(value.is_string(), kCorrupt, "{}: \"{}\" must be a string, found {}", where_, key, shown(value));
  return value.get<std::string>();
}

std::string JsonView::string_or(const std::string& key, const std::string& fallback) const {
  return has(key) ? string(key) : fallback;
}

JsonView JsonView::object(const std::string& key) const { return JsonView(at(key), where_ + ": " + key); }

}  // namespace vl3
