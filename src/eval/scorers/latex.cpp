#include "eval/scorers/latex.h"

#include <fmt/format.h>

#include <cmath>

#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

std::string removed(std::string text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) text = replace_all(text, part, "");
  return text;
}

/// From the first "oxed{" to the last "}", all where there is none; cut at a "}" that nothing opened.
std::string boxed_content(const std::string& text) {
  std::string content = text;
  const size_t open = text.find("oxed{"), close = text.rfind('}');
  if (open != std::string::npos && close != std::string::npos && close >= open + 5)
    content = text.substr(open + 5, close - open - 5);
  const size_t brace = content.find('}');
  if (brace != std::string::npos && brace < content.find('{')) content.resize(brace);
  return content;
}

/// \sqrt3 -> \sqrt{3}
std::string with_braced_roots(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\sqrt");
  std::string out = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    out += "\\sqrt";
    const std::u32string points = code_points(parts[i]);
    if (points.empty() || points[0] == U'{')
      out += parts[i];
    else
      out += fmt::format("{{{}}}{}", to_utf8(points.substr(0, 1)), to_utf8(points.substr(1)));
  }
  return out;
}

/// \frac12 -> \frac{1}{2}
std::string with_braced_fractions(const std::string& text) {
  const std::vector<std::string> parts = split(text, "\\frac");
  std::string out = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    out += "\\frac";
    const std::u32string points = code_points(parts[i]);
    if (!points.empty() && points[0] == U'{') {
      out += parts[i];
      continue;
    }
    if (points.size() < 2) return text;
    out += fmt::format("{{{}}}", to_utf8(points.substr(0, 1)));
    out += points[1] == U'{'
               ? to_utf8(points.substr(1))
               : fmt::format("{{{}}}{}", to_utf8(points.substr(1, 1)), to_utf8(points.substr(2)));
  }
  return out;
}

/// 3/4 -> \frac{3}{4}, of integers written the plain way.
std::string with_fraction_for_slash(const std::string& text) {
  const std::vector<std::string> parts = split(text, "/");
  if (parts.size() != 2 || to_int(parts[0]) != parts[0] || to_int(parts[1]) != parts[1]) return text;
  return fmt::format("\\frac{{{}}}{{{}}}", parts[0], parts[1]);
}

std::string one_spelling(std::string text) {
  text = replace_all(replace_all(removed(std::move(text), {"\\!"}), "\\\\", "\\"), "tfrac", "frac");
  text = removed(replace_all(text, "dfrac", "frac"),
                 {"\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "$", "\\%"});
  text = replace_all(text, "{.", "{0.");
  if (text.empty()) return text;
  if (text[0] == '.') text.insert(0, 1, '0');
  if (contains(text, "sqrt")) text = with_braced_fractions(with_braced_roots(text));
  if (text == "0.5") text = "\\frac{1}{2}";
  return with_fraction_for_slash(text);
}

/// Recursive descent over what latex2sympy makes a rational number or a decimal of.
class ValueReader {
  struct LatexValue {
    double value = 0;
    bool whole = false;  // an integer, of integers
  };

 public:
  explicit ValueReader(std::string_view text) : text_(text) {}

  std::optional<double> read() {
    const auto value = sum();
    skip();
    // As in the reference, what stands behind a brace that nothing opened counts for nothing.
    const bool ended = at_ == text_.size() || text_[at_] == '}';
    return value && ended ? std::optional(value->value) : std::nullopt;
  }

 private:
  using Value = std::optional<LatexValue>;
  static constexpr int kMaxDepth = 100;

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(std::string_view word) {
    skip();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool digit(size_t i) const { return i < text_.size() && is_digit(text_[i]); }

  static Value checked(double value, bool whole) {
    if (!std::isfinite(value) || (whole && std::abs(value) > 1e15)) return std::nullopt;
    return LatexValue{value, whole && value == std::floor(value)};
  }

  Value sum() {
    if (++depth_ > kMaxDepth) return std::nullopt;
    Value total = product();
    while (total) {
      if (take("+")) {
        const Value next = product();
        total = next ? checked(total->value + next->value, total->whole && next->whole) : Value();
      } else if (take("-")) {
        const Value next = product();
        total = next ? checked(total->value - next->value, total->whole && next->whole) : Value();
      } else {
        break;
      }
    }
    --depth_;
    return total;
  }

  static Value quotient(const Value& a, const Value& b) {
    if (!a || !b || b->value == 0) return std::nullopt;
    return checked(a->value / b->value, a->whole && b->whole);
  }

  Value product() {
    Value total = signed_power();
    while (total) {
      if (take("*") || take("\\cdot") || take("\\times")) {
        const Value next = signed_power();
        total = next ? checked(total->value * next->value, total->whole && next->whole) : Value();
      } else if (take("/") || take("\\div")) {
        total = quotient(total, signed_power());
      } else if (factor_follows()) {
        const Value next = power();
        total = next ? checked(total->value * next->value, total->whole && next->whole) : Value();
      } else {
        break;
      }
    }
    return total;
  }

  bool factor_follows() {
    skip();
    if (at_ >= text_.size()) return false;
    const std::string_view rest = text_.substr(at_);
    return rest[0] == '(' || rest[0] == '{' || rest.starts_with("\\frac") || rest.starts_with("\\sqrt");
  }

  Value signed_power() {
    if (++depth_ > kMaxDepth) return std::nullopt;
    Value value;
    if (take("-")) {
      value = signed_power();
      if (value) value->value = -value->value;
    } else {
      value = take("+") ? signed_power() : power();
    }
    --depth_;
    return value;
  }

  Value power() {
    Value base = atom();
    if (!base || !take("^")) return base;
    const Value exponent = atom();
    if (!exponent) return std::nullopt;
    // Roots of anything but squares print as sqrt(…), which the reference cannot evaluate.
    if (!exponent->whole) return std::nullopt;
    return checked(std::pow(base->value, exponent->value), base->whole && exponent->value >= 0);
  }

  Value atom() {
    if (take("\\frac")) {
      const Value above = group();
      return above ? quotient(above, group()) : Value();
    }
    if (take("\\sqrt")) return root(group());
    if (take("(")) return closed(sum(), ")");
    skip();
    if (at_ < text_.size() && text_[at_] == '{') return group();
    return number();
  }

  static Value root(const Value& of) {
    if (!of || of->value < 0) return std::nullopt;
    const double value = std::sqrt(of->value);
    if (value * value != of->value || !of->whole) return std::nullopt;
    return checked(value, true);
  }

  Value closed(Value value, std::string_view bracket) {
    return value && take(bracket) ? value : std::nullopt;
  }
  Value group() { return take("{") ? closed(sum(), "}") : Value(); }

  Value number() {
    skip();
    const size_t first = at_;
    while (digit(at_)) ++at_;
    const bool fraction = at_ < text_.size() && text_[at_] == '.' && digit(at_ + 1);
    if (fraction) {
      ++at_;
      while (digit(at_)) ++at_;
    }
    const auto value = to_float(text_.substr(first, at_ - first));
    return value ? checked(*value, !fraction) : std::nullopt;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string normalise_latex(const std::string& text) {
  std::string answer = boxed_content(replace_all(lower(text), "{}", ""));
  answer = split(split(answer, "=").back(), "\\approx").back();
  answer = replace_all(removed(answer, {" ", "\\,"}), "∞", "\\infty");
  answer = removed(replace_all(replace_all(answer, "+\\infty", "\\infty"), "\\\\", "\\"),
                   {"\n", "\\text", "\\mbox"});
  answer = removed(
      replace_all(answer, "bmatrix", "pmatrix"),
      {"\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3", "{units}", "units", "{km}", "km"});
  return one_spelling(answer);
}

std::optional<double> latex_value(const std::string& text) {
  const std::string bare = replace_all(text, "$", "");
  return ValueReader(bare).read();
}

bool equal_values(const std::string& a, const std::string& b) {
  const auto x = latex_value(a), y = latex_value(b);
  return x && y && round_to(*x, 2) == round_to(*y, 2);
}

}  // namespace vl3::eval
