#include "data/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "core/check.h"
#include "core/digest.h"
#include "data/bad_sample.h"
#include "data/random_access_file.h"

namespace vl3::data {
namespace {

/// Tars that are open, those used last in front. Whoever reads keeps his own alive.
class OpenFiles {
 public:
  static OpenFiles& instance() {
    static OpenFiles files;
    return files;
  }

  std::shared_ptr<const RandomAccessFile> open(uint64_t id, const std::filesystem::path& path) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(files_, id, &Entry::first);
    if (found != files_.end()) {
      files_.splice(files_.begin(), files_, found);
    } else {
      files_.emplace_front(id, std::make_shared<const RandomAccessFile>(path));
      if (files_.size() > kMost) files_.pop_back();
    }
    return files_.front().second;
  }

  void close(uint64_t id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(files_, [id](const Entry& entry) { return entry.first == id; });
  }

 private:
  static constexpr size_t kMost = 64;
  using Entry = std::pair<uint64_t, std::shared_ptr<const RandomAccessFile>>;

  std::mutex mutex_;
  std::list<Entry> files_;
};

/// Never given twice: another file may stand at the same path, or another reader at the same address.
uint64_t next_id() {
  static std::atomic<uint64_t> next{0};
  return next++;
}

constexpr size_t kBlockBytes = 64u << 10;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

ArchivePtr new_archive() {
  ArchivePtr a(archive_read_new());
  VL3_CHECK(a != nullptr, kResourceExhausted, "libarchive: out of memory");
  archive_read_support_format_tar(a.get());
  return a;
}

std::string reason_of(archive* a) {
  const char* text = archive_error_string(a);
  return text != nullptr ? text : "unknown reason";
}

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  return name != nullptr ? name : "";
}

bool is_file(archive_entry* entry) {
  return archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
}

/// Where the extension begins: at the first dot of the last part of the name.
size_t dot_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return std::min(name.find('.', slash == name.npos ? 0 : slash + 1), name.size());
}

/// The next header; false at the end. @throws BadSample(kDecode).
bool next_entry(archive* a, archive_entry** entry) {
  const int status = archive_read_next_header(a, entry);
  if (status == ARCHIVE_EOF) return false;
  VL3_SAMPLE_CHECK(status == ARCHIVE_OK || status == ARCHIVE_WARN, kDecode, "{}", reason_of(a));
  return true;
}

/// A part of a file as libarchive reads it, block by block; what it passes over is not read.
class Window {
 public:
  Window(const RandomAccessFile& file, uint64_t begin, uint64_t end) : file_(file), at_(begin), end_(end) {}

  /// The window must outlive the archive's use.
  int open(archive* a) {
    archive_read_set_read_callback(a, [](archive* reader, void* self, const void** data) {
      return static_cast<Window*>(self)->read(reader, data);
    });
    archive_read_set_skip_callback(
        a, [](archive*, void* self, la_int64_t bytes) { return static_cast<Window*>(self)->skip(bytes); });
    archive_read_set_callback_data(a, this);
    return archive_read_open1(a);
  }

 private:
  la_ssize_t read(archive* reader, const void** data) {
    *data = block_.data();
    try {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(block_.size(), end_ - at_));
      const size_t got = file_.read_some(at_, block_.data(), wanted);
      at_ += got;
      return static_cast<la_ssize_t>(got);
    } catch (const Error& error) {  // not through C code
      archive_set_error(reader, EIO, "%s", error.what());
      return -1;
    }
  }
  la_int64_t skip(la_int64_t bytes) {
    const auto skipped =
        static_cast<la_int64_t>(std::min<uint64_t>(static_cast<uint64_t>(bytes), end_ - at_));
    at_ += static_cast<uint64_t>(skipped);
    return skipped;
  }

  const RandomAccessFile& file_;
  uint64_t at_, end_;
  std::string block_ = std::string(kBlockBytes, '\0');
};

}  // namespace

TarReader::TarReader(std::filesystem::path path) : path_(std::move(path)), id_(next_id()) {
  bytes_ = RandomAccessFile(path_).size();
  VL3_CHECK(bytes_ > 0, kCorrupt, "{}: is empty; is it an uncompressed tar?", path_.string());
  const ArchivePtr a = new_archive();
  const int opened = archive_read_open_filename(a.get(), path_.c_str(), kBlockBytes);
  const int error = archive_errno(a.get());
  VL3_CHECK(opened == ARCHIVE_OK || (error != EMFILE && error != ENFILE), kResourceExhausted,
            "{}: too many files are open; allow more (ulimit -n)", path_.string());
  VL3_CHECK(opened == ARCHIVE_OK, kCorrupt, "{}: {}; is it an uncompressed tar?", path_.string(),
            reason_of(a.get()));
  std::string current;
  archive_entry* entry = nullptr;
  int64_t good = -1;  // where the last header that could be read begins
  Digest digest;
  try {
    while (next_entry(a.get(), &entry)) {
      good = archive_read_header_position(a.get());
      if (!is_file(entry)) continue;
      const std::string name = name_of(entry);
      digest.add(fmt::format("{}\n{} {}\n", name, archive_entry_size(entry), archive_entry_mtime(entry)));
      std::string key = name.substr(0, dot_of(name));
      if (!begins_.empty() && key == current) continue;
      current = std::move(key);
      begins_.push_back(static_cast<uint64_t>(good));
    }
    digest_ = digest.hex();
  } catch (const BadSample& bad) {
    digest_ = digest.hex();
    VL3_CHECK(good >= 0, kCorrupt, "{}: {}; is it an uncompressed tar?", path_.string(), bad.what());
    const int64_t broken = archive_read_header_position(a.get());
    // Cut off within a member: reading that sample will tell.
    const bool at_end = broken == good || static_cast<uint64_t>(broken) >= bytes_;
    if (at_end && !begins_.empty()) return;
    const uint64_t begin = std::min(static_cast<uint64_t>(broken), bytes_);
    damage_ = fmt::format("{} at byte {}: what follows in this tar, {:.0f} % of it, is lost; make it anew",
                          bad.what(), broken,
                          100.0 * static_cast<double>(bytes_ - begin) / static_cast<double>(bytes_));
    begins_.push_back(begin);
  }
}

TarReader::~TarReader() { OpenFiles::instance().close(id_); }

std::vector<TarMember> TarReader::read(int64_t index, uint64_t most_bytes) const {
  return read(index, [most_bytes](const TarMember&) { return most_bytes; });
}

std::vector<TarMember> TarReader::read(int64_t index, const Bound& most_bytes) const {
  const auto at = static_cast<size_t>(index);
  const bool last = at + 1 == begins_.size();
  VL3_SAMPLE_CHECK(damage_.empty() || !last, kDecode, "{}", damage_);
  const uint64_t begin = begins_[at], end = last ? bytes_ : begins_[at + 1];
  VL3_SAMPLE_CHECK(end - begin <= kMaxSampleBytes, kLimit, "a sample of {} bytes; at most {} are taken",
                   end - begin, kMaxSampleBytes);
  const std::shared_ptr<const RandomAccessFile> file = OpenFiles::instance().open(id_, path_);
  VL3_CHECK(file->size() == bytes_, kCorrupt, "{}: has changed since it was opened", path_.string());
  Window window(*file, begin, end);
  const ArchivePtr a = new_archive();
  VL3_SAMPLE_CHECK(window.open(a.get()) == ARCHIVE_OK, kDecode, "{}", reason_of(a.get()));
  std::vector<TarMember> members;
  archive_entry* entry = nullptr;
  while (next_entry(a.get(), &entry)) {
    if (!is_file(entry)) continue;
    TarMember member;
    member.name = name_of(entry);
    const size_t dot = dot_of(member.name);
    member.extension = dot < member.name.size() ? member.name.substr(dot + 1) : "";
    const auto size = static_cast<uint64_t>(std::max<int64_t>(archive_entry_size(entry), 0));
    VL3_SAMPLE_CHECK(size <= end - begin, kDecode,
                     "member {} says {} bytes, the tar ends before; it is cut off", member.name, size);
    member.size = size;
    member.bytes.resize(std::min(size, most_bytes(member)));
    const auto got = archive_read_data(a.get(), member.bytes.data(), member.bytes.size());
    VL3_SAMPLE_CHECK(got == static_cast<la_ssize_t>(member.bytes.size()), kDecode, "member {} is cut off: {}",
                     member.name, got < 0 ? reason_of(a.get()) : fmt::format("{} of {} bytes", got, size));
    const bool twice = std::ranges::any_of(
        members, [&](const TarMember& other) { return other.extension == member.extension; });
    VL3_SAMPLE_CHECK(!twice, kSchema, "two members .{} in sample {}; names must differ", member.extension,
                     member.name.substr(0, dot));
    members.push_back(std::move(member));
  }
  VL3_SAMPLE_CHECK(!members.empty(), kDecode, "no member could be read");
  return members;
}

}  // namespace vl3::data
