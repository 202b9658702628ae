#include "curate/verdict.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace vl3::curate {
namespace {

struct ReasonRow {
  std::string_view name;
  Stage stage;
};

constexpr ReasonRow kTable[kReasons] = {
    {"kept", Stage::kDiversity},
    {"unusable", Stage::kValidity},
    {"too_small", Stage::kValidity},
    {"aspect_ratio", Stage::kAspect},
    {"blank", Stage::kQuality},
    {"dark", Stage::kQuality},
    {"bright", Stage::kQuality},
    {"blurred", Stage::kQuality},
    {"not_sharp", Stage::kQuality},
    {"static_video", Stage::kVideo},
    {"little_motion", Stage::kVideo},
    {"no_clip", Stage::kVideo},
    {"no_caption", Stage::kText},
    {"caption_short", Stage::kText},
    {"caption_long", Stage::kText},
    {"caption_repetition", Stage::kText},
    {"caption_symbols", Stage::kText},
    {"caption_control_characters", Stage::kText},
    {"caption_media_tag", Stage::kText},
    {"score", Stage::kScores},
    {"text_image_similarity", Stage::kSimilarity},
    {"exact_duplicate", Stage::kDuplicates},
    {"near_duplicate", Stage::kDuplicates},
    {"caption_template", Stage::kTemplates},
    {"feature_duplicate", Stage::kDiversity},
    {"cluster_quota", Stage::kDiversity},
};

constexpr std::string_view kStageNames[kStages] = {
    "validity",   "aspect ratio",      "quality",  "video", "text", "scores", "text-image similarity",
    "duplicates", "caption templates", "diversity"};

}  // namespace

std::string_view reason_name(Reason reason) { return kTable[static_cast<int>(reason)].name; }
Stage stage_of(Reason reason) { return kTable[static_cast<int>(reason)].stage; }
std::string_view stage_name(Stage stage) { return kStageNames[static_cast<int>(stage)]; }

VerdictFile::VerdictFile(const std::filesystem::path& path, int64_t items) : path_(path), items_(items) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be written: {}", path.string(), std::strerror(errno));
  const std::vector<Verdict> block(4096);
  for (int64_t begin = 0; begin < items; begin += std::ssize(block)) {
    const auto count = static_cast<size_t>(std::min<int64_t>(std::ssize(block), items - begin));
    set(begin, std::vector<Verdict>(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count)));
  }
}

VerdictFile::~VerdictFile() {
  if (fd_ >= 0) ::close(fd_);
}

VerdictFile::VerdictFile(VerdictFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), items_(other.items_) {}

VerdictFile VerdictFile::open(const std::filesystem::path& path, int64_t items) {
  VerdictFile file(path, items, ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  VL3_CHECK(file.fd_ >= 0, kNotFound, "{}: cannot be read: {}", path.string(), std::strerror(errno));
  const off_t size = ::lseek(file.fd_, 0, SEEK_END);
  VL3_CHECK(size == items * static_cast<off_t>(sizeof(Verdict)), kCorrupt, "{}: {} bytes for {} verdicts",
            path.string(), size, items);
  return file;
}

std::vector<Verdict> VerdictFile::get(int64_t begin, int64_t count) const {
  VL3_CHECK(begin >= 0 && count >= 0 && begin + count <= items_, kInternal, "verdicts {} + {} of {}", begin,
            count, items_);
  std::vector<Verdict> verdicts(static_cast<size_t>(count));
  const size_t bytes = verdicts.size() * sizeof(Verdict);
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(fd_, reinterpret_cast<char*>(verdicts.data()) + done, bytes - done,
                                static_cast<off_t>(static_cast<size_t>(begin) * sizeof(Verdict) + done));
    if (got < 0 && errno == EINTR) continue;
    VL3_CHECK(got > 0, kCorrupt, "{}: cannot be read", path_.string());
    done += static_cast<size_t>(got);
  }
  return verdicts;
}

Verdict VerdictFile::get(int64_t position) const { return get(position, 1)[0]; }

void VerdictFile::set(int64_t begin, const std::vector<Verdict>& verdicts) {
  VL3_CHECK(begin >= 0 && begin + std::ssize(verdicts) <= items_, kInternal, "verdicts {} + {} of {}", begin,
            verdicts.size(), items_);
  const size_t bytes = verdicts.size() * sizeof(Verdict);
  for (size_t done = 0; done < bytes;) {
    const ssize_t put = ::pwrite(fd_, reinterpret_cast<const char*>(verdicts.data()) + done, bytes - done,
                                 static_cast<off_t>(static_cast<size_t>(begin) * sizeof(Verdict) + done));
    if (put < 0 && errno == EINTR) continue;
    VL3_CHECK(put > 0, kResourceExhausted, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
    done += static_cast<size_t>(put);
  }
}

void VerdictFile::set(int64_t position, const Verdict& verdict) {
  set(position, std::vector<Verdict>{verdict});
}

}  // namespace vl3::curate
