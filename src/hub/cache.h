// One repository in the cache on disk: where its parts are, and how they are put there without half states.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vl3::hub {

class CachedRepo {
 public:
  CachedRepo(const std::filesystem::path& cache_dir, const std::string& repo_id);

  std::filesystem::path blob(const std::string& etag) const { return root_ / "blobs" / etag; }
  std::filesystem::path incomplete(const std::string& etag) const {
    return root_ / "blobs" / (etag + ".incomplete");
  }
  std::filesystem::path lock(const std::string& etag) const { return locks_ / (etag + ".lock"); }
  std::filesystem::path snapshot(const std::string& commit) const { return root_ / "snapshots" / commit; }

  /// Makes the folders that blobs and locks are written to. @throws Error(kInvalidArgument) where that fails.
  void make_folders() const;

  /// Bytes free to this user on the cache's disk.
  uint64_t free_bytes() const;

  /// Makes snapshots/<commit>/<file> a relative link to the blob, replacing what is there in one step.
  /// @throws Error(kUnsupported) where the file system has no links.
  void link(const std::string& commit, const std::string& file, const std::string& etag) const;

  /// The commit a branch or tag stood for when it was last pulled; a commit stands for itself.
  std::optional<std::string> resolve(const std::string& revision) const;
  void write_ref(const std::string& revision, const std::string& commit) const;
  /// The branches and tags whose snapshot is there, then the commits of snapshots that have no name.
  std::vector<std::string> revisions() const;

 private:
  std::filesystem::path root_;
  std::filesystem::path locks_;
};

/// Held while a blob is being written; flock, so it ends with the process. Python's client locks the same
/// file.
class BlobLock {
 public:
  /// Waits for another holder. @throws Error(kResourceExhausted) after timeout_s.
  BlobLock(const std::filesystem::path& path, double timeout_s);
  ~BlobLock();
  BlobLock(const BlobLock&) = delete;
  BlobLock& operator=(const BlobLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace vl3::hub
