// Answers in LaTeX: one spelling for equal ones, and the values of those that are rational numbers. Pure.
#pragma once

#include <optional>
#include <string>

namespace vl3::eval {

/// The content of the last \boxed{…} (or all of it), behind the last "=", without blanks, units and layout;
/// the rules of the MATH-Vision evaluation.
std::string normalise_latex(const std::string& text);

/// A number as LaTeX writes it, exact or not.
struct LatexValue {
  double value = 0;
  bool whole = false;  ///< an integer, of integers: Python would print it without a fraction
};

/// Numbers, + - * / ^, \cdot, \times, \div, \frac, \sqrt (of a square), brackets. nullopt for anything else,
/// such as letters.
std::optional<LatexValue> latex_value(const std::string& text);

/// Whether both are numbers, or tuples or lists of numbers, equal at two decimals.
bool equal_values(const std::string& a, const std::string& b);

}  // namespace vl3::eval
