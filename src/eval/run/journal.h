// The answers of a run on disk: `journal-RANK.jsonl` in its folder, a line an answer, written at once. Every
// process appends to its own file and reads them all, so a run goes on with any number of processes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "eval/run/answerer.h"
#include "eval/run/append_file.h"

namespace vl3::eval {

struct Record {
  Reply reply;
  std::string error;  ///< why there is no answer; "" where there is one
  double seconds = 0;
};

/// Task, then question_key().
using Records = std::map<std::string, std::map<std::string, Record>>;

/// Safe from several threads.
class Journal {
 public:
  /// @param settings  what the answers depend on. @throws Error(kInvalidArgument) naming the difference where
  /// the folder holds answers of other settings; Error(kCorrupt).
  Journal(const std::filesystem::path& folder, int64_t rank, const OrderedJson& settings);

  /// What all processes have written so far; of several records of an item an answer wins over an error.
  static Records read(const std::filesystem::path& folder);
  /// Whether the process of that rank is at work.
  static bool at_work(const std::filesystem::path& folder, int64_t rank);

  /// @param key  question_key()
  void append(const std::string& task, const std::string& key, const Record& record);

 private:
  std::mutex mutex_;
  std::unique_ptr<AppendFile> file_;
};

}  // namespace vl3::eval
