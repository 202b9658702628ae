#include "cli/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/printable.h"

namespace vl3::cli {

std::string terminal_text(std::string_view text) {
  std::string shown;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of("\n\t", begin), text.size());
    shown += printable(text.substr(begin, end - begin));
    if (end < text.size()) shown += text[end];
    begin = end + 1;
  }
  return shown;
}

void write_out(std::string_view text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  std::string shown;
  if (terminal) text = shown = terminal_text(text);
  while (!text.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw OutputError(fmt::format("stdout: cannot be written: {}", std::strerror(errno)));
    text.remove_prefix(static_cast<size_t>(put));
  }
}

void write_err(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(STDERR_FILENO, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return;
    text.remove_prefix(static_cast<size_t>(put));
  }
}

void check_no_input(const std::filesystem::path& out, const std::string& input) {
  std::error_code missing;
  VL3_CHECK(out.empty() || input.empty() || !std::filesystem::equivalent(out, input, missing),
            kInvalidArgument, "--out {}: that is the input {}", out.string(), input);
}

}  // namespace vl3::cli
