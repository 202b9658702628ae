#include "curate/result_stage.h"

#include <system_error>

#include "core/check.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr const char* kResults[] = {"webdataset",    "media",       "train.jsonl", "kept.jsonl",
                                    "dropped.jsonl", "report.html", "recipe.toml"};

}  // namespace

void check_place(const fs::path& output, bool is_ours) {
  for (const char* name : kResults) {
    const bool taken = !is_ours && fs::exists(fs::symlink_status(output / name));
    VL3_CHECK(!taken, kInvalidArgument,
              "{}: is there already, and of no earlier run: give another output folder, or move it away",
              (output / name).string());
  }
}

ResultStage::ResultStage(const fs::path& output)
    : output_(output), folder_(output / ".new"), old_(output / ".old") {
  std::error_code error;
  fs::remove_all(folder_, error);
  fs::remove_all(old_, error);
  fs::create_directories(folder_, error);
  VL3_CHECK(!error, kInvalidArgument, "{}: cannot be made: {}", folder_.string(), error.message());
}

ResultStage::~ResultStage() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  fs::remove_all(old_, ignored);
}

void ResultStage::publish() {
  fs::create_directories(old_);
  const auto rename = [](const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::rename(from, to, error);
    VL3_CHECK(!error, kInvalidArgument, "{}: cannot be renamed to {}: {}", from.string(), to.string(),
              error.message());
  };
  for (const char* name : kResults) {
    const fs::path made = folder_ / name, there = output_ / name;
    const bool is_new = fs::exists(made);
    // A folder cannot be renamed over another; files can.
    if (fs::exists(there) && (!is_new || fs::is_directory(there))) rename(there, old_ / name);
    if (is_new) rename(made, there);
  }
}

}  // namespace vl3::curate
