#include "eval/golden_eval.h"

#include <algorithm>
#include <cmath>

#include "support/temp_dir.h"

namespace vl3::eval {

namespace fs = std::filesystem;

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(test::golden_eval_dir(), error)) {
    if (fs::exists(entry.path() / "responses.json")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names.emplace_back();
  return names;
}

GoldenBenchmark read_golden(const std::string& name) {
  VL3_CHECK(!name.empty(), kNotFound, "no golden benchmark in {}", test::golden_eval_dir().string());
  const fs::path folder = test::golden_eval_dir() / name;
  return {name, folder / "data", read_json_file(folder / "expected.json"),
          read_json_file(folder / "responses.json")};
}

std::string golden_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.empty() ? "NoSet" : info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

std::string difference(const Json& expected, const Json& found, const std::string& where) {
  const std::string both = where + ": expected " + expected.dump() + ", found " + found.dump();
  if (expected.is_number() && found.is_number()) {
    const double a = expected.get<double>(), b = found.get<double>();
    return std::abs(a - b) <= 1e-6 * std::max(1.0, std::abs(a)) ? "" : both;
  }
  if (expected.type() != found.type() || expected.size() != found.size()) return both;
  if (expected.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      if (!found.contains(key)) return where + "/" + key + ": is missing in " + found.dump();
      if (std::string text = difference(value, found[key], where + "/" + key); !text.empty()) return text;
    }
    return "";
  }
  if (expected.is_array()) {
    for (size_t i = 0; i < expected.size(); ++i) {
      std::string text = difference(expected[i], found[i], where + "/" + std::to_string(i));
      if (!text.empty()) return text;
    }
    return "";
  }
  return expected == found ? "" : both;
}

}  // namespace vl3::eval
