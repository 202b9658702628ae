#include "support/temp_dir.h"

#include <cstdlib>
#include <fstream>

namespace vl3::test {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "vl3-test-XXXXXX").string();
  VL3_CHECK(mkdtemp(pattern.data()) != nullptr, kInternal, "mkdtemp {}", pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path TempDir::write(const std::string& name, std::string_view content) const {
  const std::filesystem::path target = path_ / name;
  std::filesystem::create_directories(target.parent_path());
  std::ofstream(target, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  return target;
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

namespace {

std::filesystem::path set_dir(const char* variable, const char* own) {
  const char* set = std::getenv(variable);
  return set != nullptr && *set != '\0' ? std::filesystem::path(set)
                                        : std::filesystem::path(VL3_SOURCE_DIR) / own;
}

}  // namespace

std::filesystem::path golden_dir() { return set_dir("VL3_GOLDEN_DIR", "tests/data/golden"); }
std::filesystem::path golden_train_dir() {
  return set_dir("VL3_GOLDEN_TRAIN_DIR", "tests/data/golden_train");
}

std::filesystem::path golden_eval_dir() { return set_dir("VL3_GOLDEN_EVAL_DIR", "tests/data/golden_eval"); }

}  // namespace vl3::test
