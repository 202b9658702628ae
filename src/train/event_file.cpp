#include "train/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/check.h"

namespace vl3::train {
namespace {

// Protobuf's wire types.
constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

void add_varint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) *out += static_cast<char>(value | 0x80);
  *out += static_cast<char>(value);
}

void add_little(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) *out += static_cast<char>(value >> (8 * i) & 0xff);
}

void add_key(uint32_t field, uint32_t type, std::string* out) { add_varint(field << 3 | type, out); }

void add_bytes(uint32_t field, std::string_view bytes, std::string* out) {
  add_key(field, kBytes, out);
  add_varint(bytes.size(), out);
  *out += bytes;
}

std::string event_at(int64_t step) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string event;
  add_key(1, kFixed64, &event);
  add_little(std::bit_cast<uint64_t>(now), 8, &event);
  add_key(2, kVarint, &event);
  add_varint(static_cast<uint64_t>(step), &event);
  return event;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> out{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0);
      out[i] = value;
    }
    return out;
  }();
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return crc ^ 0xffffffffu;
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t resumed_step) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  char host[256] = "localhost";
  (void)::gethostname(host, sizeof host - 1);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  for (int i = 0; fd_ < 0; ++i) {  // two runs within a second
    file_ = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds, host, ::getpid(), i);
    fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    VL3_CHECK(fd_ >= 0 || errno == EEXIST, kInvalidArgument, "{}: cannot be written: {}", file_.string(),
              std::strerror(errno));
  }
  std::string version = event_at(0);
  add_bytes(3, "brain.Event:2", &version);
  append(version);
  if (resumed_step > 0) {
    std::string start = event_at(resumed_step + 1), log;
    add_key(1, kVarint, &log);  // SessionLog.status = START: what other files say from this step on is void
    add_varint(1, &log);
    add_bytes(7, log, &start);
    append(start);
  }
}

EventFile::~EventFile() { ::close(fd_); }

void EventFile::append(std::string_view event) {
  std::string length, record;
  add_little(event.size(), 8, &length);
  record = length;
  add_little(masked(crc32c(length)), 4, &record);
  record += event;
  add_little(masked(crc32c(event)), 4, &record);
  const ssize_t put = ::write(fd_, record.data(), record.size());
  if (put == static_cast<ssize_t>(record.size())) return;
  const int error = put < 0 ? errno : ENOSPC;
  throw Error(error == ENOSPC || error == EDQUOT || error == EFBIG ? ErrorCode::kResourceExhausted
                                                                   : ErrorCode::kInvalidArgument,
              fmt::format("{}: write failed: {}", file_.string(), std::strerror(error)));
}

void EventFile::write_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    add_bytes(1, tag, &value);
    add_key(2, kFixed32, &value);
    add_little(std::bit_cast<uint32_t>(static_cast<float>(number)), 4, &value);
    add_bytes(1, value, &summary);
  }
  std::string event = event_at(step);
  add_bytes(5, summary, &event);
  append(event);
}

void EventFile::write(const StepMetrics& metrics) {
  std::vector<std::pair<std::string, double>> scalars = {{"train/loss", metrics.loss},
                                                         {"train/epoch", metrics.epoch}};
  const auto add = [&scalars](const char* tag, const std::optional<double>& value) {
    if (value) scalars.emplace_back(tag, *value);
  };
  add("train/grad_norm", metrics.grad_norm);
  add("train/llm_lr", metrics.llm_lr);
  add("train/mm_projector_lr", metrics.mm_projector_lr);
  add("train/vision_encoder_lr", metrics.vision_encoder_lr);
  scalars.emplace_back("train/tokens_per_s", metrics.tokens_per_s());
  scalars.emplace_back("train/tokens", static_cast<double>(metrics.tokens));
  scalars.emplace_back("train/labelled_tokens", static_cast<double>(metrics.labelled_tokens));
  scalars.emplace_back("train/data_wait_s", metrics.data_wait_s);
  scalars.emplace_back("train/bad_samples", static_cast<double>(metrics.bad_samples));
  for (const auto& [kind, score] : metrics.answers)
    scalars.emplace_back("answers/" + kind,
                         static_cast<double>(score.right) / static_cast<double>(score.asked));
  write_scalars(metrics.step, scalars);
}

}  // namespace vl3::train
