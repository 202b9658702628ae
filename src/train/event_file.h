// TensorBoard's event files: scalars only, written by hand (no protobuf), read by TensorBoard as they grow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/metrics.h"

namespace vl3::train {

/// CRC-32C (Castagnoli), as TFRecord frames carry it, before masking.
uint32_t crc32c(std::string_view bytes);

/// One new file "events.out.tfevents.SECONDS.HOST.PID" in a folder.
///
///   record:  uint64 length | uint32 masked crc of the length | bytes | uint32 masked crc of the bytes
///   bytes:   tensorflow.Event: 1 wall_time double, 2 step, 3 file_version, 5 Summary, 7 SessionLog
///   Summary: 1 Value (repeated): 1 tag, 2 simple_value float
class EventFile {
 public:
  /// @param resumed_step  above 0: readers drop what earlier files of the folder say of later steps.
  /// @throws Error(kInvalidArgument) where the file cannot be made.
  EventFile(const std::filesystem::path& folder, int64_t resumed_step);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// @throws Error(kResourceExhausted) for a full disk.
  void write_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);
  /// Tags as Hugging Face's trainer has them: train/loss, train/learning_rate/…, train/grad_norm, …
  void write(const StepMetrics& metrics);

 private:
  void append(std::string_view event);
  std::filesystem::path file_;
  int fd_ = -1;
};

}  // namespace vl3::train
