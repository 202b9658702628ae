#include "eval/text/python_text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

TEST(PythonText, WorksByCodePoint) {
  EXPECT_EQ(lower("ÀÉ Б"), "àé б");
  EXPECT_EQ(upper("é"), "É");
  EXPECT_EQ(length("日本é"), 3);
  EXPECT_EQ(strip("\u3000 a b\u00a0\n"), "a b");
  EXPECT_EQ(split_words(" a\u2003b\tc ").size(), 3);
  EXPECT_EQ(strip("..a.b.", "."), "a.b");
  EXPECT_TRUE(is_word(U'é'));
  EXPECT_TRUE(is_word(U'語'));
  EXPECT_FALSE(is_word(U'«'));
  EXPECT_TRUE(is_digit('0') && is_digit('9'));
  EXPECT_FALSE(is_digit('/') || is_digit(':') || is_digit('\xb2'));
  EXPECT_EQ(replace_all("aaa", "aa", "b"), "ba");
  EXPECT_EQ(split("a, b", ", "), (std::vector<std::string>{"a", "b"}));
}

TEST(PythonText, FloatTakesWhatPythonTakes) {
  for (const auto& [text, value] :
       {std::pair("1e2", 100.0), std::pair(" -.5 ", -0.5), std::pair("1_000.5", 1000.5),
        std::pair("+3.", 3.0), std::pair("-inf", -HUGE_VAL)})
    EXPECT_EQ(to_float(text), value) << text;
  EXPECT_TRUE(std::isnan(*to_float("NaN")));
  for (const char* text : {"", " ", "1,234", "$5", "0x10", "1e", "1__0", "_1", "1_", ".", "e5", "--1", "1 2"})
    EXPECT_FALSE(to_float(text)) << text;
}

TEST(PythonText, IntTakesNoFraction) {
  EXPECT_EQ(to_int(" +007 "), "7");
  EXPECT_EQ(to_int("-0"), "0");
  EXPECT_EQ(to_int("123456789012345678901234567890"), "123456789012345678901234567890");
  for (const char* text : {"14.0", "", "1e2", "-", "٣x"}) EXPECT_FALSE(to_int(text)) << text;
}

TEST(PythonText, NumbersPrintAndRoundAsPythonDoes) {
  EXPECT_EQ(float_repr(100), "100.0");
  EXPECT_EQ(float_repr(0.1), "0.1");
  EXPECT_EQ(float_repr(1e16), "1e+16");
  EXPECT_EQ(float_repr(1e-5), "1e-05");
  EXPECT_EQ(float_repr(-0.0), "-0.0");
  EXPECT_EQ(round_to(2.675, 2), 2.67);  // the double lies below
  EXPECT_EQ(round_to(0.5, 0), 0);
  EXPECT_EQ(round_to(1.5, 0), 2);
}

TEST(PythonText, ListLiterals) {
  EXPECT_EQ(python_list(R"(['a', "b's", 'c\'d', 3, None,])", "x"),
            (std::vector<std::string>{"a", "b's", "c'd", "3", "None"}));
  EXPECT_EQ(python_list("[]", "x").size(), 0);
  EXPECT_EQ(python_list(R"(['\u00e9\x41\\n\q'])", "x"), (std::vector<std::string>{"éA\\n\\q"}));
  for (const char* text :
       {"", "[", "['a'", "['a' 'b']", "[a]", "['a\nb']", "['\\u12']", "['a'] x", "[['a']]", "['\\"})
    EXPECT_NE(error_of([&] { python_list(text, "row 1"); }).find("row 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace vl3::eval
