#include "eval/scorers/latex.h"

#include <gtest/gtest.h>

namespace vl3::eval {
namespace {

TEST(Latex, OneSpellingForEqualAnswers) {
  EXPECT_EQ(normalise_latex("so \\boxed{ x = \\dfrac{3}{4} }"), "\\frac{3}{4}");
  EXPECT_EQ(normalise_latex("\\boxed{3/4}"), "\\frac{3}{4}");
  EXPECT_EQ(normalise_latex("$2\\sqrt 3$"), "2\\sqrt{3}");
  EXPECT_EQ(normalise_latex("\\boxed{30^\\circ}"), "30");
  EXPECT_EQ(normalise_latex("\\boxed{.5}"), "\\frac{1}{2}");
  EXPECT_EQ(normalise_latex(""), "");
}

TEST(Latex, ValuesOfRationalNumbersOnly) {
  EXPECT_EQ(latex_value("\\frac{7}{8}"), 0.875);
  EXPECT_EQ(latex_value("-(2+3)\\times 4^{2}/8"), -10);
  EXPECT_EQ(latex_value("2\\sqrt{9}"), 6);
  EXPECT_EQ(latex_value("{1.5}"), 1.5);
  for (const char* text :
       {"", "x", "\\sqrt{2}", "1/0", "\\pi", "2x", "(1", "1,2", "\\frac{1}", "0.5cm", "9^{9^{9}}"})
    EXPECT_FALSE(latex_value(text)) << text;
  EXPECT_FALSE(latex_value(std::string(100'000, '(')));
  EXPECT_FALSE(latex_value(std::string(100'000, '-')));
  EXPECT_TRUE(equal_values("0.333", "\\frac{1}{3}"));
  EXPECT_FALSE(equal_values("0.3", "\\frac{1}{3}"));
}

}  // namespace
}  // namespace vl3::eval
