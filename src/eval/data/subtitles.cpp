#include "eval/data/subtitles.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "eval/text/python_text.h"
#include "text/utf8.h"

namespace vl3::eval {
namespace {

constexpr uint64_t kMaxFile = 64 << 20;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Up to `most` digits from `at` on; false without one.
bool read_number(std::string_view line, size_t& at, size_t most, int64_t& value, size_t* digits = nullptr) {
  const size_t first = at;
  value = 0;
  while (at < line.size() && at - first < most && is_digit(line[at])) value = value * 10 + (line[at++] - '0');
  if (digits != nullptr) *digits = at - first;
  return at > first;
}

/// "hh:mm:ss,mmm" at `at`, moved behind it; nothing where there is none.
bool read_stamp(std::string_view line, size_t& at, int64_t& ms) {
  size_t here = at, digits = 0;
  int64_t h = 0, m = 0, s = 0, fraction = 0;
  const auto mark = [&](std::string_view set) {
    return here < line.size() && set.find(line[here]) != std::string_view::npos && ++here > 0;
  };
  if (!read_number(line, here, 2, h) || !mark(":") || !read_number(line, here, 2, m) || !mark(":") ||
      !read_number(line, here, 2, s) || !mark(".,") || !read_number(line, here, 3, fraction, &digits))
    return false;
  for (; digits < 3; ++digits) fraction *= 10;
  ms = ((h * 60 + m) * 60 + s) * 1000 + fraction;
  at = here;
  return true;
}

/// Start and end, where the line holds exactly two times.
bool is_timing(std::string_view line, int64_t& start, int64_t& end) {
  std::array<int64_t, 3> stamps{};
  size_t count = 0;
  for (size_t at = 0; at < line.size() && count < 3;) {
    if (read_stamp(line, at, stamps[count]))
      ++count;
    else
      ++at;
  }
  start = stamps[0];
  end = stamps[1];
  return count == 2;
}

bool blank(std::string_view line) { return strip(line).empty(); }

bool only_number(std::string_view line) {
  const std::string text = strip(line);
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// The number of the next subtitle, at the end behind a line break, goes.
std::string without_next_number(const std::string& text) {
  size_t end = text.find_last_not_of(' ');
  if (end == std::string::npos || !is_digit(text[end])) return text;
  while (end > 0 && is_digit(text[end - 1])) --end;
  size_t at = end;
  while (at > 0 && text[at - 1] == ' ') --at;
  if (at == 0 || text[at - 1] != '\n') return text;
  while (at > 0 && text[at - 1] == '\n') --at;
  return text.substr(0, at);
}

/// At '<': the tag's length and what stands for it; 0 where it is none.
size_t read_tag(std::string_view text, std::string& replacement) {
  size_t at = 1;
  const auto blanks = [&] {
    while (at < text.size() && text[at] == ' ') ++at;
  };
  blanks();
  const bool closing = at < text.size() && text[at] == '/';
  if (closing) ++at;
  blanks();
  if (at >= text.size() || !is_letter(text[at])) return 0;
  const size_t end = text.find('>', at);
  if (end == std::string_view::npos) return 0;
  const std::string name = rstrip(text.substr(at, end - at), " ");
  const bool styled = name == "i" || name == "b" || name == "u" || name == "s";
  replacement = styled ? fmt::format("{{\\{}{}}}", name, closing ? 0 : 1) : "";
  return end + 1;
}

std::string with_styles(std::string_view text) {
  std::string out;
  // Behind the last '>' is no tag, and read_tag() would search all of the rest for its end at each '<'.
  const size_t tags_end = text.rfind('>') + 1;  // 0 without one
  for (size_t at = 0; at < text.size();) {
    std::string replacement;
    const size_t tag = text[at] == '<' && at < tags_end ? read_tag(text.substr(at), replacement) : 0;
    if (tag > 0) {
      out += replacement;
      at += tag;
    } else {
      out += text[at] == '\n' ? std::string("\\N") : std::string(1, text[at]);
      ++at;
    }
  }
  return out;
}

std::string event_text(const std::vector<std::string_view>& lines) {
  const bool empty =
      lines.size() >= 2 && only_number(lines.back()) && std::all_of(lines.begin(), lines.end() - 1, blank);
  if (empty) return "";
  std::string joined;
  for (const std::string_view line : lines) {
    joined += line;
    joined += '\n';
  }
  return with_styles(without_next_number(strip(joined)));
}

double clock_seconds(const Json& value, const std::string& where) {
  VL3_CHECK(value.is_string(), kCorrupt, "{}: expected a time as \"h:m:s\"", where);
  const std::string text = value.get<std::string>();
  const std::vector<std::string> parts = split(text, ":");
  std::array<std::optional<double>, 3> numbers;
  for (size_t i = 0; i < 3 && parts.size() == 3; ++i) numbers[i] = to_float(parts[i]);
  VL3_CHECK(numbers[0] && numbers[1] && numbers[2], kCorrupt, "{}: \"{}\" is no time as \"h:m:s\"", where,
            text);
  return *numbers[0] * 3600 + *numbers[1] * 60 + *numbers[2];
}

}  // namespace

std::vector<SubtitleEvent> parse_srt(std::string_view text, const std::string& where) {
  VL3_CHECK(vl3::text::find_invalid_utf8(text) == std::string_view::npos, kCorrupt, "{}: is not UTF-8",
            where);
  const std::string unified = replace_all(replace_all(text, "\r\n", "\n"), "\r", "\n");
  std::vector<SubtitleEvent> events;
  std::vector<std::vector<std::string_view>> lines;
  for (size_t at = 0; at < unified.size();) {
    const size_t end = std::min(unified.find('\n', at), unified.size());
    const std::string_view line = std::string_view(unified).substr(at, end - at);
    at = end + 1;
    int64_t start_ms = 0, end_ms = 0;
    if (is_timing(line, start_ms, end_ms)) {
      events.push_back({static_cast<double>(start_ms) / 1000, static_cast<double>(end_ms) / 1000, ""});
      lines.emplace_back();
    } else if (!events.empty()) {
      lines.back().push_back(line);
    }
  }
  for (size_t i = 0; i < events.size(); ++i) events[i].text = event_text(lines[i]);
  return events;
}

std::vector<SubtitleEvent> read_srt(const std::filesystem::path& path) {
  return parse_srt(read_file(path, kMaxFile), path.string());
}

std::string listed_subtitles(const std::vector<SubtitleEvent>& events,
                             const std::vector<double>& frame_times) {
  std::string list;
  for (const double time : frame_times) {
    const auto event = std::find_if(events.begin(), events.end(), [&](const SubtitleEvent& e) {
      return std::round(e.start_s * 1000) < time * 1000 && time * 1000 < std::round(e.end_s * 1000);
    });
    if (event == events.end()) continue;
    const std::string text = replace_all(event->text, "\\N", " ");
    if (strip(text).empty()) continue;
    list += (list.empty() ? "" : "\n") + text;
  }
  return list;
}

std::vector<SubtitleEvent> read_subtitle_json(const std::filesystem::path& path, double offset_s,
                                              double duration_s) {
  const Json list = read_json_file(path, kMaxFile);
  VL3_CHECK(list.is_array(), kCorrupt, "{}: expected a list of subtitles", path.string());
  std::vector<SubtitleEvent> events;
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonView view(list[i], fmt::format("{}: subtitle {}", path.string(), i + 1));
    SubtitleEvent event;
    if (view.has("timestamp")) {
      const Json& pair = view.at("timestamp");
      VL3_CHECK(pair.is_array() && pair.size() == 2 && pair[0].is_number(), kCorrupt,
                "{}: \"timestamp\" must be [start, end]", view.where());
      event.start_s = pair[0].get<double>();
      // As the reference has it: an end without a fraction ("4") counts as missing, too. Prompts depend on
      // it.
      event.end_s = pair[1].is_number_float() ? pair[1].get<double>() : duration_s;
      event.text = view.string("text");
    } else {
      event.start_s = clock_seconds(view.at("start"), view.where());
      event.end_s = clock_seconds(view.at("end"), view.where());
      event.text = view.string("line");
    }
    event.start_s -= offset_s;
    event.end_s -= offset_s;
    events.push_back(std::move(event));
  }
  return events;
}

std::vector<SubtitlePart> interleave_subtitles(const std::vector<SubtitleEvent>& events,
                                               const std::vector<double>& frame_times) {
  std::vector<SubtitlePart> parts;
  size_t next = 0;
  const auto add_frames = [&](size_t end) {
    if (end <= next) return;
    if (!parts.empty() && parts.back().frames > 0)
      parts.back().frames += end - next;
    else
      parts.push_back({next, end - next, ""});
    next = end;
  };
  for (const SubtitleEvent& event : events) {
    const double middle = (event.start_s + event.end_s) / 2;
    size_t end = next;
    while (end < frame_times.size() && frame_times[end] <= middle) ++end;
    add_frames(end);
    const bool brief = event.end_s - event.start_s < 1;
    const double from = brief ? middle - 0.5 : event.start_s, to = brief ? middle + 0.5 : event.end_s;
    const bool covered = std::any_of(frame_times.begin(), frame_times.end(),
                                     [&](double time) { return time > from && time < to; });
    if (covered) parts.push_back({0, 0, event.text});
  }
  add_frames(frame_times.size());
  return parts;
}

}  // namespace vl3::eval
