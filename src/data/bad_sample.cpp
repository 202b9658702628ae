#include "data/bad_sample.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace vl3::data {
namespace {

ErrorCode code_of(BadKind kind) {
  switch (kind) {
    case BadKind::kMissingFile:
      return ErrorCode::kNotFound;
    case BadKind::kDecode:
    case BadKind::kJson:
      return ErrorCode::kCorrupt;
    case BadKind::kOverLength:
    case BadKind::kLimit:
    case BadKind::kTimeout:
      return ErrorCode::kResourceExhausted;
    default:
      return ErrorCode::kInvalidArgument;
  }
}

}  // namespace

const char* bad_kind_name(BadKind kind) {
  switch (kind) {
    case BadKind::kMissingFile:
      return "missing_file";
    case BadKind::kDecode:
      return "decode";
    case BadKind::kTagCount:
      return "tag_count";
    case BadKind::kNoAssistant:
      return "no_assistant";
    case BadKind::kTooFewTurns:
      return "too_few_turns";
    case BadKind::kVideoField:
      return "video_field";
    case BadKind::kSchema:
      return "schema";
    case BadKind::kJson:
      return "json";
    case BadKind::kOverLength:
      return "over_length";
    case BadKind::kLimit:
      return "limit";
    case BadKind::kTimeout:
      return "timeout";
  }
  return "schema";
}

BadSample::BadSample(BadKind kind, const std::string& reason, std::string id)
    : Error(code_of(kind), reason), kind_(kind), id_(std::move(id)) {}

BadSample as_bad_sample(const Error& error) {
  if (const auto* bad = dynamic_cast<const BadSample*>(&error)) return *bad;
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return {BadKind::kMissingFile, error.what()};
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
      return {BadKind::kDecode, error.what()};
    case ErrorCode::kResourceExhausted:
      return {BadKind::kLimit, error.what()};
    case ErrorCode::kInvalidArgument:
      return {BadKind::kSchema, error.what()};
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal:
      break;
  }
  throw error;
}

BadSampleLog::BadSampleLog(std::filesystem::path path, double max_bad_share)
    : path_(std::move(path)), max_bad_share_(max_bad_share) {
  VL3_CHECK(max_bad_share >= 0 && max_bad_share <= 1, kInvalidArgument,
            "max_bad_share is {}; it must be 0..1", max_bad_share);
}

BadSampleLog::Count& BadSampleLog::count(int64_t list) {
  if (counts_.size() <= static_cast<size_t>(list)) counts_.resize(static_cast<size_t>(list) + 1);
  return counts_[static_cast<size_t>(list)];
}

void BadSampleLog::add_bad(const BadSampleEntry& entry) {
  Count& of_list = count(entry.list);
  ++of_list.seen;
  ++of_list.bad;
  last_reason_ = entry.reason;
  if (path_.empty()) return;
  const OrderedJson json = {{"id", entry.id},
                            {"source", entry.source},
                            {"line", entry.line},
                            {"kind", bad_kind_name(entry.kind)},
                            {"reason", entry.reason}};
  const std::string line = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  // One write a line, so that processes that share the file do not mix their lines.
  const ssize_t put = fd < 0 ? -1 : ::write(fd, line.data(), line.size());
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  VL3_CHECK(put == static_cast<ssize_t>(line.size()), kResourceExhausted, "{}: cannot be written: {}",
            path_.string(), put < 0 ? std::strerror(reason) : "the disk is full");
}

BadSampleLog::Count BadSampleLog::total() const {
  Count sum;
  for (const Count& one : counts_) {
    sum.seen += one.seen;
    sum.bad += one.bad;
  }
  return sum;
}

void BadSampleLog::check_share() const {
  const Count sum = total();
  const double share = sum.seen == 0 ? 0 : static_cast<double>(sum.bad) / static_cast<double>(sum.seen);
  VL3_CHECK(sum.seen < kLeastSeen || share <= max_bad_share_, kCorrupt,
            "{} of {} samples are bad, a share of {:.3f} above max_bad_share = {}; the last one: {}. Look "
            "into {}, mend "
            "the data or allow more",
            sum.bad, sum.seen, share, max_bad_share_, last_reason_,
            path_.empty() ? "the reasons" : path_.string());
}

}  // namespace vl3::data
