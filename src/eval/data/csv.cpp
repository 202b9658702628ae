#include "eval/data/csv.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/check.h"
#include "core/file.h"
#include "text/utf8.h"

namespace vl3::eval {
namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

  bool more() const { return at_ < text_.size(); }
  size_t line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> fields(1);
    bool quoted = false;  // the field began with a quote that is closed by now
    for (;;) {
      const char c = at_ < text_.size() ? text_[at_] : '\n';
      ++at_;
      if (c == '\r' && (at_ >= text_.size() || text_[at_] == '\n')) continue;
      if (c == '\n') {
        ++line_;
        return fields;
      }
      if (c == ',') {
        fields.emplace_back();
        quoted = false;
      } else if (c == '"' && fields.back().empty() && !quoted) {
        read_quoted(fields.back());
        quoted = true;
      } else {
        VL3_CHECK(!quoted, kCorrupt, "{}: line {}: text behind a closing quote", name_, line_);
        fields.back() += c;
      }
    }
  }

 private:
  void read_quoted(std::string& field) {
    const size_t first = line_;
    for (;;) {
      VL3_CHECK(at_ < text_.size(), kCorrupt, "{}: line {}: a quote that is not closed", name_, first);
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (at_ < text_.size() && text_[at_] == '"') {
        field += '"';
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::string name_;
  size_t at_ = 0;
  size_t line_ = 1;
};

}  // namespace

std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& path) {
  const std::string content = read_file(path, 1ull << 30);
  const std::string name = path.string();
  VL3_CHECK(vl3::text::find_invalid_utf8(content) == std::string_view::npos, kCorrupt, "{}: is not UTF-8",
            name);
  std::string_view text = content;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  CsvReader reader(text, name);
  VL3_CHECK(reader.more(), kCorrupt, "{}: is empty, a heading is expected", name);
  const std::vector<std::string> heading = reader.row();
  VL3_CHECK(std::set<std::string>(heading.begin(), heading.end()).size() == heading.size(), kCorrupt,
            "{}: a name comes twice in the heading", name);
  std::vector<std::map<std::string, std::string>> rows;
  while (reader.more()) {
    const size_t line = reader.line();
    std::vector<std::string> fields = reader.row();
    if (fields.size() == 1 && fields[0].empty()) continue;  // a blank line
    VL3_CHECK(fields.size() == heading.size(), kCorrupt, "{}: line {}: {} fields, the heading has {}", name,
              line, fields.size(), heading.size());
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < fields.size(); ++i) row.emplace(heading[i], std::move(fields[i]));
  }
  return rows;
}

bool pandas_missing(const std::string& field) {
  static constexpr std::array<std::string_view, 19> kMissing = {
      "",     "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
      "<NA>", "N/A",  "NA",       "NULL", "NaN",     "None",     "n/a",  "nan",  "null"};
  return std::find(kMissing.begin(), kMissing.end(), field) != kMissing.end();
}

}  // namespace vl3::eval
