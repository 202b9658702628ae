#include "hub/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "core/check.h"
#include "core/file.h"
#include "core/log.h"
#include "hub/environment.h"
#include "hub/hub.h"
#include "hub/names.h"

namespace vl3::hub {
namespace fs = std::filesystem;
namespace {

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  VL3_CHECK(!error, kInvalidArgument, "{}: cannot be made: {}", path.string(), error.message());
}

/// The lock file's path still leads to the file that is locked. Another client may delete it when it is done.
bool still_there(int fd, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

CachedRepo::CachedRepo(const fs::path& cache_dir, const std::string& repo_id)
    : root_(cache_dir / repo_folder(repo_id)), locks_(cache_dir / ".locks" / repo_folder(repo_id)) {}

void CachedRepo::make_folders() const {
  make_folder(root_ / "blobs");
  make_folder(locks_);
}

uint64_t CachedRepo::free_bytes() const {
  std::error_code error;
  const fs::space_info space = fs::space(root_ / "blobs", error);
  return error ? UINT64_MAX : space.available;
}

void CachedRepo::link(const std::string& commit, const std::string& file, const std::string& etag) const {
  const fs::path path = snapshot(commit) / file;
  make_folder(path.parent_path());
  const fs::path target = fs::path(blob(etag)).lexically_relative(path.parent_path());
  std::error_code error;
  if (fs::read_symlink(path, error) == target) return;
  static std::atomic<int> counter{0};
  fs::path temporary = path;
  temporary += fmt::format(".tmp-{}-{}", ::getpid(), counter++);
  fs::create_symlink(target, temporary, error);
  VL3_CHECK(!error, kUnsupported,
            "{}: no symbolic link can be made here ({}): set HF_HUB_CACHE to another disk", path.string(),
            error.message());
  fs::rename(temporary, path, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    VL3_FAIL(kInvalidArgument, "{}: cannot be replaced: {}", path.string(), error.message());
  }
}

std::optional<std::string> CachedRepo::resolve(const std::string& revision) const {
  if (is_commit(revision)) return revision;
  const fs::path path = root_ / "refs" / revision;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::string commit = read_file(path, 200);
  while (commit.ends_with('\n')) commit.pop_back();
  VL3_CHECK(is_commit(commit), kCorrupt, "{}: holds \"{}\", not a commit: delete it and pull again",
            path.string(), commit);
  return commit;
}

void CachedRepo::write_ref(const std::string& revision, const std::string& commit) const {
  if (revision == commit) return;
  const fs::path path = root_ / "refs" / revision;
  make_folder(path.parent_path());
  write_file_atomically(path, commit);
}

std::vector<std::string> CachedRepo::revisions() const {
  std::vector<std::string> found;
  std::set<std::string> named;
  std::error_code error;
  for (fs::recursive_directory_iterator it(root_ / "refs", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().lexically_relative(root_ / "refs").string();
    std::optional<std::string> commit;
    try {
      commit = resolve(name);
    } catch (const Error&) {  // no reference; whoever asks for it is told
    }
    std::error_code ignored;
    if (!commit || !fs::is_directory(snapshot(*commit), ignored)) continue;
    found.push_back(name);
    named.insert(*commit);
  }
  std::sort(found.begin(), found.end());
  const auto names = static_cast<std::ptrdiff_t>(found.size());
  error.clear();
  for (fs::directory_iterator it(root_ / "snapshots", error), end; !error && it != end; it.increment(error)) {
    const std::string commit = it->path().filename().string();
    if (is_commit(commit) && !named.contains(commit)) found.push_back(commit);
  }
  std::sort(found.begin() + names, found.end());
  return found;
}

BlobLock::BlobLock(const fs::path& path, double timeout_s) {
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + std::chrono::duration<double>(timeout_s);
  for (bool told = false;;) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0 && still_there(fd_, path)) return;
    ::close(fd_);
    fd_ = -1;
    VL3_CHECK(Clock::now() < give_up, kResourceExhausted,
              "{}: another program has been downloading this file for more than {} s: end it, or try later",
              path.string(), timeout_s);
    if (!told) logger().info("{}: waiting for another download of the same file", path.string());
    told = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

BlobLock::~BlobLock() {
  if (fd_ >= 0) ::close(fd_);
}

fs::path find_cached(const std::string& repo_id, const std::string& revision, const fs::path& cache_dir) {
  check_repo_id(repo_id);
  check_revision(revision);
  const fs::path cache = cache_dir.empty() ? default_cache_dir() : cache_dir;
  const CachedRepo repo(cache, repo_id);
  const std::optional<std::string> commit = repo.resolve(revision);
  std::error_code error;
  if (commit && fs::is_directory(repo.snapshot(*commit), error)) return repo.snapshot(*commit);
  const std::vector<std::string> others = repo.revisions();
  std::string there;
  if (!others.empty())
    there = fmt::format("take {}@{} (there are: {}), or ", repo_id, others.front(), fmt::join(others, ", "));
  VL3_FAIL(kNotFound, "{} (revision {}) is not in the cache {}: {}get it with: vl3 pull {}{}", repo_id,
           revision, cache.string(), there, repo_id, revision == "main" ? "" : " --revision " + revision);
}

}  // namespace vl3::hub
