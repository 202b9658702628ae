#include "hub/blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/check.h"
#include "core/log.h"
#include "hub/digest.h"

namespace vl3::hub {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kProgressStep = 256 << 10;
constexpr uint64_t kWorthwhile = 1 << 20;  // an attempt that gets this much further does not count as failed

uint64_t size_or_zero(const fs::path& path) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

/// A file being written on from some offset.
class GrowingFile {
 public:
  explicit GrowingFile(fs::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) fail("opening");
  }
  ~GrowingFile() { ::close(fd_); }
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  /// Cuts the file to `offset` bytes and writes on from there.
  void start_at(uint64_t offset) {
    const auto position = static_cast<off_t>(offset);
    if (::ftruncate(fd_, position) != 0 || ::lseek(fd_, position, SEEK_SET) != position) fail("cutting");
    size_ = offset;
  }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("writing");
      bytes.remove_prefix(static_cast<size_t>(put));
      size_ += static_cast<uint64_t>(put);
    }
  }
  void sync() {
    if (::fsync(fd_) != 0) fail("syncing");
  }
  uint64_t size() const { return size_; }

 private:
  [[noreturn]] void fail(const char* what) const {
    const int error = errno;
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    if (full) {
      VL3_FAIL(kResourceExhausted, "{}: {} failed: {}: make room and run it again, it goes on from here",
               path_.string(), what, std::strerror(error));
    }
    VL3_FAIL(kInvalidArgument, "{}: {} failed: {}", path_.string(), what, std::strerror(error));
  }

  fs::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

class BlobDownload {
 public:
  BlobDownload(const HubClient& client, const CachedRepo& repo, const BlobRequest& request)
      : client_(client),
        request_(request),
        file_(request.file),
        incomplete_(repo.incomplete(request.file.etag)),
        blob_(repo.blob(request.file.etag)) {}

  uint64_t run() {
    int attempt = 1;
    for (;;) {
      try {
        receive();
        if (verify()) break;
        // Pieces of several runs did not fit together: once more, in one piece.
      } catch (const net::FetchError& error) {
        const bool bad_range = error.status() == 416 && resumed_;
        if (bad_range) remove_incomplete();
        if (made_progress()) attempt = 1;
        if (!(error.retryable() || bad_range) || attempt >= client_.attempts()) throw;
        logger().warn("{}; trying again", error.what());
      }
      client_.back_off(++attempt);
    }
    std::error_code error;
    fs::rename(incomplete_, blob_, error);
    VL3_CHECK(!error, kInvalidArgument, "{}: cannot be renamed: {}", incomplete_.string(), error.message());
    return received_;
  }

 private:
  /// Continues the incomplete file until the server's data ends.
  void receive() {
    uint64_t have = size_or_zero(incomplete_);
    if (file_.size && have > *file_.size) {
      remove_incomplete();
      have = 0;
    }
    resumed_ = have > 0;
    if (have > 0 && file_.size == have) return;  // only the check was missing
    report(have);
    std::optional<GrowingFile> out;  // made when there is something to write
    const auto on_start = [&](const net::Reply&, uint64_t offset) {
      resumed_ = offset > 0;
      out.emplace(incomplete_);
      out->start_at(offset);
      reported_ = offset;
    };
    const auto sink = [&](std::string_view piece) {
      if (out->size() + piece.size() > limit()) fail_too_long();
      out->append(piece);
      received_ += piece.size();
      if (out->size() - reported_ >= kProgressStep) report(out->size());
    };
    client_.get(request_.repo_id, request_.commit, file_.name, have, request_.max_bytes, sink, on_start);
    out->sync();
    report(out->size());
    if (file_.size && out->size() < *file_.size) {
      throw net::FetchError(
          ErrorCode::kCorrupt,
          fmt::format("{}: {} bytes came, the hub names {}", file_.name, out->size(), *file_.size), 0, true);
    }
  }

  /// The file got further than ever before, by enough: a line that breaks now and then may go on for ever, a
  /// server that always breaks off at the same place may not.
  bool made_progress() {
    const uint64_t have = size_or_zero(incomplete_);
    if (have < best_ + kWorthwhile) return false;
    best_ = have;
    return true;
  }

  uint64_t limit() const { return file_.size.value_or(request_.max_bytes); }

  [[noreturn]] void fail_too_long() {
    remove_incomplete();
    VL3_FAIL(kCorrupt, "{}: the hub sends more than the {} bytes it names", file_.name, limit());
  }

  /// False when it must be fetched again from the start. @throws Error(kCorrupt) when that has no hope.
  bool verify() {
    const std::string digest = digest_like(file_.etag, incomplete_);
    if (digest.empty()) {
      logger().warn("{}: the hub gives no hash for it, only its size is checked", file_.name);
    }
    if (digest.empty() || digest == file_.etag) return true;
    remove_incomplete();
    if (resumed_ && !restarted_) {
      restarted_ = true;
      logger().warn("{}: what was there does not fit the rest; fetching it from the start", file_.name);
      return false;
    }
    VL3_FAIL(kCorrupt, "{}: the hash of what came is {}, the hub names {}: removed, try again", file_.name,
             digest, file_.etag);
  }

  void remove_incomplete() {
    std::error_code ignored;
    fs::remove(incomplete_, ignored);
  }

  void report(uint64_t done) {
    reported_ = done;
    if (request_.on_progress) request_.on_progress({file_.name, done, file_.size.value_or(0)});
  }

  const HubClient& client_;
  const BlobRequest& request_;
  const FileInfo& file_;
  fs::path incomplete_;
  fs::path blob_;
  bool resumed_ = false;    ///< the bytes of the incomplete file came in more than one piece
  bool restarted_ = false;  ///< a misfit of pieces was already answered by starting again
  uint64_t best_ = 0;
  uint64_t received_ = 0;
  uint64_t reported_ = 0;
};

/// @returns 0, the bytes received.
uint64_t report_present(const BlobRequest& request) {
  const uint64_t size = request.file.size.value_or(0);
  if (request.on_progress) request.on_progress({request.file.name, size, size});
  return 0;
}

}  // namespace

bool blob_present(const CachedRepo& repo, const FileInfo& file) {
  std::error_code error;
  const fs::path blob = repo.blob(file.etag);
  if (!fs::is_regular_file(blob, error)) return false;
  return !file.size || size_or_zero(blob) == *file.size;
}

uint64_t ensure_blob(const HubClient& client, const CachedRepo& repo, const BlobRequest& request) {
  if (blob_present(repo, request.file)) return report_present(request);
  const BlobLock lock(repo.lock(request.file.etag), request.lock_timeout_s);
  if (blob_present(repo, request.file)) return report_present(request);  // whoever we waited for brought it
  return BlobDownload(client, repo, request).run();
}

}  // namespace vl3::hub
