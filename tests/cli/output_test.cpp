#include "cli/output.h"

#include <gtest/gtest.h>

#include "core/printable.h"

namespace vl3::cli {
namespace {

TEST(TerminalText, KeepsLinesAndTabsAndShowsOtherControls) {
  EXPECT_EQ(terminal_text("a\n\tb"), "a\n\tb");
  EXPECT_EQ(terminal_text("a\x1b[31m\rb\x7f"), "a\\x1b[31m\\x0db\\x7f");
  EXPECT_EQ(terminal_text("\xc2\x9b"
                          "1m"),
            "\\xc2\\x9b1m");  // C1: a control sequence in one character
  EXPECT_EQ(terminal_text("gr\xc3\xbc\xc3\x9f\n"), "gr\xc3\xbc\xc3\x9f\n");
  EXPECT_EQ(terminal_text(""), "");
  EXPECT_EQ(terminal_text("\n\n"), "\n\n");
}

TEST(Printable, HasNoLineFeeds) { EXPECT_EQ(printable("a\nb\x1b"), "a b\\x1b"); }

}  // namespace
}  // namespace vl3::cli
