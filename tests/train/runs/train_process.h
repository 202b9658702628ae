// `vl3 train` as a user runs it, on a small recipe over the golden training set: in one process or in
// several, to be ended by signals or limits.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::test {

struct TrainOptions {
  std::map<std::string, std::string> environment = {};
  std::optional<uint64_t> file_size_limit = {};  ///< bytes that a file may grow to (RLIMIT_FSIZE)
  std::string err = {};                          ///< where stderr goes instead of being kept
};

class TrainProcess {
 public:
  struct Result {
    int status = -1;  ///< exit status; -1 when a signal ended it
    int signal = 0;   ///< that signal; SIGKILL after a minute
    std::string err;
  };

  /// Starts `vl3 train` with the arguments. stderr is kept, stdout too where `out` names a file.
  explicit TrainProcess(const std::vector<std::string>& arguments, const TrainOptions& options = {},
                        const std::filesystem::path& out = "/dev/null");
  ~TrainProcess();
  TrainProcess(const TrainProcess&) = delete;
  TrainProcess& operator=(const TrainProcess&) = delete;

  void send(int signal) const;
  /// Until the condition holds. @return false when the process ended, or a minute passed, before.
  bool wait_until(const std::function<bool()>& condition);
  Result wait();

 private:
  bool ended();
  pid_t child_ = -1;
  int err_ = -1, state_ = 0;
  bool reaped_ = false;
};

/// The recipe of all tests here: 24 steps of 6 records, some of them bad, in float32.
class TrainRecipe {
 public:
  explicit TrainRecipe(const TempDir& dir);
  /// Arguments for a run into the folder `output`, below the recipe's.
  std::vector<std::string> arguments(const std::string& output,
                                     const std::vector<std::string>& set = {}) const;
  std::filesystem::path folder(const std::string& output) const { return dir_ / output; }

  /// Runs it to the end. Expects exit status 0.
  void run(const std::string& output, const std::vector<std::string>& set = {}) const;
  /// The same as `processes` processes, by torchrun's variables. @return all results, by rank.
  std::vector<TrainProcess::Result> run_processes(int processes, const std::string& output,
                                                  const std::vector<std::string>& set = {},
                                                  const std::vector<TrainOptions>& options = {}) const;

  /// Lines of the run's train_log.jsonl rid of times and memory.
  std::vector<Json> log(const std::string& output) const;
  std::string file(const std::string& output, const std::string& name) const;

 private:
  std::filesystem::path dir_;
};

/// torchrun's variables for process `rank` of `processes`.
std::map<std::string, std::string> torchrun_variables(int rank, int processes, int port);
int free_port();

}  // namespace vl3::test
