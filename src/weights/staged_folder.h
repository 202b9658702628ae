// A folder that appears whole or not at all: filled beside its place under a temporary name, then renamed.
#pragma once

#include <filesystem>

namespace vl3::weights {

class StagedFolder {
 public:
  /// @param target  must not exist, or be an empty folder; its parent must exist.
  /// @throws Error(kInvalidArgument) otherwise.
  explicit StagedFolder(std::filesystem::path target);
  ~StagedFolder();  ///< removes everything unless committed
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  /// Where to put the files until commit().
  const std::filesystem::path& path() const { return staging_; }
  /// @throws Error(kInvalidArgument) when somebody else has filled the target meanwhile.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path staging_;
  bool committed_ = false;
};

}  // namespace vl3::weights
