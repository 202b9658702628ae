// A folder that disappears with the object, and the place of the test data.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "core/check.h"

namespace vl3::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  /// Writes a file below the folder (parents made) and gives its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// The names of what lies in a folder.
std::set<std::string> names_in(const std::filesystem::path& folder);

/// The golden set to walk: $VL3_GOLDEN_DIR, else the project's own subset tests/data/golden.
std::filesystem::path golden_dir();

/// The set of training data: $VL3_GOLDEN_TRAIN_DIR, else the project's own subset tests/data/golden_train.
std::filesystem::path golden_train_dir();

/// The set of benchmarks: $VL3_GOLDEN_EVAL_DIR, else the project's own subset tests/data/golden_eval.
std::filesystem::path golden_eval_dir();

/// Runs `action` and gives the vl3::Error it throws as "code name: message", "" when it throws none.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string(error_code_name(error.code())) + ": " + error.what();
  }
  return "";
}

}  // namespace vl3::test
