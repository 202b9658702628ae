// A file of JSON lines that belong to steps (train_log.jsonl, bad_samples.jsonl): appended, a line at once,
// so that a killed process loses at most the line it was writing, and no step stands there twice after a
// resume.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/json.h"

namespace vl3::train {

class StepLines {
 public:
  /// Lines carry their step as "step". @param resumed_step  lines of later steps and a torn last line are cut
  /// off. @throws Error(kInvalidArgument) where the file cannot be opened.
  StepLines(std::filesystem::path file, int64_t resumed_step);
  ~StepLines();
  StepLines(const StepLines&) = delete;
  StepLines& operator=(const StepLines&) = delete;

  /// @throws Error(kResourceExhausted) for a full disk; no part of the line stays then.
  void write(const OrderedJson& line);
  /// To the disk; before a checkpoint is written, so that the file never lacks its steps.
  void sync();

  const std::filesystem::path& file() const { return file_; }

 private:
  std::filesystem::path file_;
  int fd_ = -1;
};

}  // namespace vl3::train
