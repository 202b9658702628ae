#include "eval/data/files.h"

#include <algorithm>

#include "core/check.h"
#include "core/file.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxFile = 2ull << 30;

}  // namespace

OrderedJson read_ordered_json(const fs::path& path) {
  const std::string text = read_file(path, kMaxFile);
  parse_json(text, path.string());  // its errors, and the bound on nesting
  return OrderedJson::parse(text);
}

std::vector<Json> read_json_list(const fs::path& path) {
  Json json = read_json_file(path, kMaxFile);
  VL3_CHECK(json.is_array(), kCorrupt, "{}: expected a list of items", path.string());
  std::vector<Json> rows;
  rows.reserve(json.size());
  for (Json& row : json) rows.push_back(std::move(row));
  return rows;
}

std::vector<Json> read_json_lines(const fs::path& path) {
  const std::string text = read_file(path, kMaxFile);
  std::vector<Json> rows;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    if (text.find_first_not_of(" \t\r", at) < end)
      rows.push_back(parse_json(std::string_view(text).substr(at, end - at),
                                fmt::format("{}: line {}", path.string(), number)));
    at = end + 1;
  }
  return rows;
}

Row::Row(const Json& json, const fs::path& file, size_t number)
    : view_(json, fmt::format("{}: item {}", file.string(), number + 1)) {}

std::string Row::text(const char* key) const { return view_.string(key); }

std::string Row::text_of(const char* key) const {
  const Json& value = view_.at(key);
  return value.is_number() ? value.dump() : view_.string(key);
}

std::vector<std::string> Row::texts(const char* key) const {
  const Json& list = view_.at(key);
  VL3_CHECK(list.is_array(), kCorrupt, "{}: \"{}\" must be a list", where(), key);
  std::vector<std::string> values;
  for (const Json& value : list) {
    VL3_CHECK(value.is_string() || value.is_number(), kCorrupt, "{}: \"{}\" must be a list of texts", where(),
              key);
    values.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  }
  return values;
}

double Row::number(const char* key) const { return view_.number(key); }
int64_t Row::integer(const char* key) const { return view_.integer(key); }

fs::path below(const fs::path& folder, const std::string& name, const std::string& where) {
  const fs::path path(name);
  const bool climbs = std::any_of(path.begin(), path.end(), [](const fs::path& p) { return p == ".."; });
  VL3_CHECK(!name.empty() && path.is_relative() && !climbs && name.find('\0') == std::string::npos, kCorrupt,
            "{}: \"{}\" is no file below the data root", where, name);
  return folder / path;
}

fs::path find_video(const fs::path& folder, const std::string& stem, const std::string& where) {
  std::error_code error;
  for (const char* extension : {".mp4", ".avi", ".mov", ".mkv", ".webm"}) {
    fs::path path = below(folder, stem + extension, where);
    if (fs::exists(path, error)) return path;
  }
  return below(folder, stem + ".mp4", where);
}

std::vector<fs::path> find_parts(const fs::path& folder, const std::string& prefix,
                                 const std::string& suffix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(suffix) && name.size() >= prefix.size() + suffix.size())
      found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  VL3_CHECK(!found.empty(), kNotFound, "{}: no file {}*{} there", folder.string(), prefix, suffix);
  return found;
}

}  // namespace vl3::eval
