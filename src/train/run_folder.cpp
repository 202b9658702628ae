#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include "core/check.h"
#include "core/log.h"
#include "train/trainer_state.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCheckpoint = "checkpoint-";

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 15 && text.find_first_not_of("0123456789") == std::string::npos;
}

// The step of "checkpoint-N".
std::optional<int64_t> checkpoint_step(const std::string& name) {
  const std::string digits = name.starts_with(kCheckpoint) ? name.substr(kCheckpoint.size()) : "";
  return is_number(digits) ? std::optional(std::stoll(digits)) : std::nullopt;
}

// What writers of this folder leave when they are killed: files NAME.tmp-PID-N, and folders of checkpoints
// and of model files under such names or NAME.trash-PID-N. Anything else is the user's.
bool is_debris(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  for (const std::string_view mark : {".tmp-", ".trash-"}) {
    const size_t at = name.rfind(mark);
    if (at == std::string::npos || at == 0) continue;
    const std::string stem = name.substr(0, at), tail = name.substr(at + mark.size());
    const size_t dash = tail.find('-');
    if (dash == std::string::npos || !is_number(tail.substr(0, dash)) || !is_number(tail.substr(dash + 1)))
      continue;
    if (entry.is_symlink()) return false;
    if (entry.is_regular_file()) return mark == ".tmp-";
    return entry.is_directory() && (checkpoint_step(stem) || stem == kModelFiles);
  }
  return false;
}

}  // namespace

std::vector<CheckpointPlace> list_checkpoints(const fs::path& run) {
  std::vector<CheckpointPlace> places;
  std::error_code error;
  for (fs::directory_iterator it(run, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const auto step = checkpoint_step(it->path().filename().string());
    if (step && it->is_directory(ignored)) places.push_back({*step, it->path()});
  }
  std::sort(places.begin(), places.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return places;
}

bool is_unfinished_run(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / kRecipeFile, error) && !fs::exists(folder / kStateFile, error) &&
         !fs::exists(folder / kFinishedFile, error);
}

void sync(const fs::path& path) {
  const int fd = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
}

RunFolder::RunFolder(fs::path path) : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(path_, error);
  VL3_CHECK(!error && fs::is_directory(path_, error), kInvalidArgument,
            "{}: the run's folder cannot be made: {}", path_.string(), error.message());
  const fs::path file = path_ / ".lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  VL3_CHECK(lock_ >= 0, kInvalidArgument, "{}: cannot be opened: {}", file.string(), std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t got = ::pread(lock_, holder, sizeof holder - 1, 0);
    ::close(lock_);
    const std::string pid(holder, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    VL3_FAIL(kInvalidArgument, "{}: process {} trains into this folder; wait for it, or give another output",
             path_.string(), pid.substr(0, pid.find('\n')));
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0) {
    logger().debug("{}: the process id could not be noted", file.string());  // the lock itself holds
  }
}

RunFolder::~RunFolder() { ::close(lock_); }

void RunFolder::remove_debris() const {
  std::vector<fs::path> found;
  std::error_code error;
  if (!fs::exists(path_ / kRecipeFile, error)) return;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    if (is_debris(*it)) found.push_back(it->path());
  }
  for (const fs::path& path : found) {
    logger().info("{}: removed, it was not whole", path.string());
    fs::remove_all(path, error);
  }
}

}  // namespace vl3::train
