// A lock between processes on a file (flock); it ends with its holder, killed ones too. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "curate/step_hooks.h"

namespace vl3::curate {

class FileLock {
 public:
  enum class Mode { kShared, kExclusive };

  /// @return nothing where another process holds it. File systems that know no locks give it to everyone.
  /// @throws Error(kInvalidArgument) where the file cannot be made.
  static std::optional<FileLock> try_lock(const std::filesystem::path& path, Mode mode);
  /// Waits for it, and says so once. @throws Error(kCancelled).
  static FileLock lock(const std::filesystem::path& path, Mode mode, const StepHooks& hooks,
                       const std::string& waiting);

  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace vl3::curate
