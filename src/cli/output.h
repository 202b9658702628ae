// What the commands write. To stdout every write is checked, for an answer that did not arrive is no success;
// stderr may be gone.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vl3::cli {

/// Stdout took less than it was given (full disk, closed pipe). Not a vl3::Error: a conversation does not go
/// on after it. main() ends the program with status 1.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes to stdout at once, unbuffered. On a terminal control characters other than line feed and tab are
/// shown as \xNN, since answers and file names come from outside; into a file or pipe the text goes as it is.
/// @throws OutputError.
void write_out(std::string_view text);

template <typename... Args>
void print_out(fmt::format_string<Args...> format, Args&&... args) {
  write_out(fmt::format(format, std::forward<Args>(args)...));
}

/// A line for people on stderr. Where it can't be written (full disk, closed pipe) work goes on without it.
void write_err(std::string_view text);

template <typename... Args>
void print_err(fmt::format_string<Args...> format, Args&&... args) {
  write_err(fmt::format(format, std::forward<Args>(args)...));
}

/// @throws Error(kInvalidArgument) where `out` is the file that `input` names: it would be lost.
void check_no_input(const std::filesystem::path& out, const std::string& input);

/// The text with control characters (C0 but line feed and tab, DEL, C1) and bytes that are no UTF-8 as \xNN.
std::string terminal_text(std::string_view text);

}  // namespace vl3::cli
