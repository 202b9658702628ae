#include "data/annotation_file.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "core/digest.h"
#include "data/bad_sample.h"

namespace vl3::data {
namespace {

constexpr size_t kChunkBytes = 1u << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Calls `visit(offset, byte)` for the whole file, a byte order mark left out. @return its SHA-256 in hex.
template <typename Visit>
std::string scan(const RandomAccessFile& file, Visit&& visit) {
  Digest digest;
  std::string chunk(kChunkBytes, '\0');
  for (uint64_t offset = 0; offset < file.size();) {
    const size_t got = file.read_some(offset, chunk.data(), chunk.size());
    if (got == 0) break;
    digest.add(chunk.data(), got);
    const size_t first =
        offset == 0 && std::string_view(chunk).starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (size_t i = first; i < got; ++i) visit(offset + i, chunk[i]);
    offset += got;
  }
  return digest.hex();
}

}  // namespace

AnnotationFile::AnnotationFile(std::filesystem::path path) : file_(std::move(path)) {
  const std::string extension = file_.path().extension().string();
  VL3_CHECK(extension == ".jsonl" || extension == ".json", kUnsupported,
            "{}: annotations are .json lists, .jsonl lines or .tar files", file_.path().string());
  end_ = file_.size();
  if (extension == ".json") {
    index_list();
  } else {
    index_lines();
  }
  begins_.shrink_to_fit();
}

void AnnotationFile::add(uint64_t begin, int64_t line) {
  const auto index = static_cast<int64_t>(begins_.size());
  begins_.push_back(begin);
  if (line_steps_.empty() || line_steps_.back().second + index - line_steps_.back().first != line) {
    line_steps_.emplace_back(index, line);
  }
}

void AnnotationFile::index_lines() {
  int64_t line = 1;
  bool blank = true;
  digest_ = scan(file_, [&](uint64_t offset, char c) {
    if (c == '\n') {
      ++line;
      blank = true;
    } else if (blank && !is_space(c)) {
      add(offset, line);
      blank = false;
    }
  });
}

void AnnotationFile::index_list() {
  int64_t line = 1;
  std::string open;  // brackets that are not closed yet
  bool in_string = false, escaped = false, in_element = false, element_closed = false, closed = false;
  digest_ = scan(file_, [&](uint64_t offset, char c) {
    if (c == '\n') ++line;
    if (in_string) {
      if (escaped) {
        escaped = false;
      } else if (c == '\\') {
        escaped = true;
      } else if (c == '"') {
        in_string = false;
      }
      return;
    }
    if (is_space(c)) return;
    VL3_CHECK(!closed, kCorrupt, "{}:{}: something follows the list's end", path().string(), line);
    if (open.empty()) {
      VL3_CHECK(
          c == '[', kCorrupt,
          "{}:{}: a .json of annotations is one list, found '{}'; write one object a line as .jsonl instead",
          path().string(), line, c);
      open = c;
      return;
    }
    if (open.size() == 1 && c == ',') {
      in_element = element_closed = false;
      return;
    }
    if (c == ']' || c == '}') {
      const char opened = c == ']' ? '[' : '{';
      VL3_CHECK(open.back() == opened, kCorrupt, "{}:{}: '{}' where a '{}' is open", path().string(), line, c,
                open.back());
      open.pop_back();
      if (open.empty()) {
        closed = true;
        end_ = offset;
      }
      element_closed = open.size() == 1;
      return;
    }
    VL3_CHECK(!element_closed, kCorrupt, "{}:{}: '{}' where ',' or the list's end is expected",
              path().string(), line, c);
    if (!in_element) {
      in_element = true;
      add(offset, line);
    }
    if (c == '[' || c == '{') open += c;
    in_string = c == '"';
  });
  VL3_CHECK(closed, kCorrupt, "{}: the file ends before its list does; it is cut off", path().string());
}

std::string AnnotationFile::text(int64_t index) const {
  const auto at = static_cast<size_t>(index);
  const uint64_t begin = begins_[at];
  const uint64_t end = at + 1 < begins_.size() ? begins_[at + 1] : end_;
  VL3_SAMPLE_CHECK(end - begin <= kMaxBytes, kLimit, "an annotation of {} bytes; at most {} are taken",
                   end - begin, kMaxBytes);
  std::string bytes = file_.read(begin, static_cast<size_t>(end - begin));
  // What stands between this one and the next.
  const auto trim = [&] {
    while (!bytes.empty() && is_space(bytes.back())) bytes.pop_back();
  };
  trim();
  if (path().extension() == ".json" && !bytes.empty() && bytes.back() == ',') {
    bytes.pop_back();
    trim();
  }
  return bytes;
}

int64_t AnnotationFile::line(int64_t index) const {
  const auto after = std::ranges::upper_bound(line_steps_, index, {}, &std::pair<int64_t, int64_t>::first);
  const auto& [first, line] = *std::prev(after);
  return line + index - first;
}

}  // namespace vl3::data
