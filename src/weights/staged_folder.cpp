#include "weights/staged_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/check.h"

namespace vl3::weights {
namespace fs = std::filesystem;

StagedFolder::StagedFolder(fs::path target) : target_(std::move(target)) {
  // "out/" names the same folder as "out", but has no last component to put a suffix on.
  if (!target_.has_filename()) target_ = target_.parent_path();
  VL3_CHECK(target_.has_filename() && target_.filename() != "." && target_.filename() != "..",
            kInvalidArgument, "\"{}\": not the name of a folder to make", target_.string());
  std::error_code error;
  if (fs::exists(fs::symlink_status(target_, error))) {
    VL3_CHECK(fs::is_directory(target_, error) && !fs::is_symlink(target_, error), kInvalidArgument,
              "{}: exists and is not a folder", target_.string());
    VL3_CHECK(fs::is_empty(target_, error), kInvalidArgument, "{}: is not empty; name a new folder",
              target_.string());
  }
  static std::atomic<int> counter{0};
  staging_ = target_;
  staging_ += fmt::format(".tmp-{}-{}", ::getpid(), counter++);
  const bool made = fs::create_directory(staging_, error);
  VL3_CHECK(made, kInvalidArgument, "{}: cannot be made: {}", target_.string(),
            error ? error.message() : "its temporary name is taken");
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(staging_, ignored);
}

void StagedFolder::commit() {
  // rename(2) replaces an empty folder and refuses a filled one, in one step.
  VL3_CHECK(std::rename(staging_.c_str(), target_.c_str()) == 0, kInvalidArgument,
            "{}: cannot be put in place: {}", target_.string(), std::strerror(errno));
  committed_ = true;
  // The new name should survive a power cut as the files in it do; where a folder cannot be synced, nothing
  // is lost.
  const fs::path parent = target_.has_parent_path() ? target_.parent_path() : ".";
  const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)::fsync(fd);
    ::close(fd);
  }
}

}  // namespace vl3::weights
