#include "train/step_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/check.h"
#include "core/file.h"

namespace vl3::train {
namespace {

// The byte after the last whole line of a step that the resumed run has behind it.
int64_t kept_bytes(const std::filesystem::path& file, int64_t resumed_step) {
  std::ifstream in(file, std::ios::binary);
  int64_t position = 0, kept = 0;
  for (std::string line; std::getline(in, line);) {
    if (in.eof()) break;  // no line feed: torn
    position += static_cast<int64_t>(line.size()) + 1;
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) continue;
    if (json["step"].get<int64_t>() > resumed_step) break;
    kept = position;
  }
  return kept;
}

}  // namespace

StepLines::StepLines(std::filesystem::path file, int64_t resumed_step) : file_(std::move(file)) {
  const int64_t kept = kept_bytes(file_, resumed_step);
  fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be written: {}", file_.string(), std::strerror(errno));
  if (::ftruncate(fd_, kept) != 0) {
    const std::string reason = std::strerror(errno);
    ::close(fd_);
    VL3_FAIL(kInvalidArgument, "{}: cannot be cut back to step {}: {}", file_.string(), resumed_step, reason);
  }
}

StepLines::~StepLines() { ::close(fd_); }

void StepLines::write(const OrderedJson& line) {
  const std::string text = line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  const auto [error, torn] = append_whole(fd_, text);
  if (error == 0) return;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw Error(full ? ErrorCode::kResourceExhausted : ErrorCode::kInvalidArgument,
              fmt::format("{}: write failed: {}{}", file_.string(), std::strerror(error),
                          torn ? " (a torn line is left)" : ""));
}

void StepLines::sync() { (void)::fsync(fd_); }

}  // namespace vl3::train
