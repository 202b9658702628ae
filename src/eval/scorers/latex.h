// Answers in LaTeX: one spelling for equal ones, and the values of those that are rational numbers. Pure.
#pragma once

#include <optional>
#include <string>

namespace vl3::eval {

/// The content of the last \boxed{…} (or all of it), behind the last "=", without blanks, units and layout;
/// the rules of the MATH-Vision evaluation.
std::string normalise_latex(const std::string& text);

/// Numbers, + - * / ^, \cdot, \times, \div, \frac, \sqrt (of a square), brackets. nullopt for anything else,
/// such as letters.
std::optional<double> latex_value(const std::string& text);

/// Whether both are numbers that are equal at two decimals.
bool equal_values(const std::string& a, const std::string& b);

}  // namespace vl3::eval
