#include "train/runs/train_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <sstream>
#include <thread>

#include "core/check.h"
#include "core/file.h"

namespace vl3::test {
namespace fs = std::filesystem;
namespace {

constexpr auto kPatience = std::chrono::minutes(1);

std::vector<std::string> environment_of(const std::map<std::string, std::string>& added) {
  std::map<std::string, std::string> all{{"OMP_NUM_THREADS", "1"}};  // the model is tiny
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos && !text.starts_with("VL3_"))
      all.try_emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [key, value] : added) all[key] = value;
  std::vector<std::string> lines;
  for (const auto& [key, value] : all) lines.push_back(key + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (std::string& text : strings) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

TrainProcess::TrainProcess(const std::vector<std::string>& arguments, const TrainOptions& options,
                           const fs::path& out)
    : err_(::memfd_create("vl3-train", MFD_CLOEXEC)) {
  std::vector<std::string> words{VL3_BINARY, "train"}, variables = environment_of(options.environment);
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);
  child_ = ::fork();
  VL3_CHECK(child_ >= 0 && err_ >= 0, kInternal, "vl3 train cannot be started");
  if (child_ != 0) return;
  if (options.file_size_limit) {
    const rlimit limit{*options.file_size_limit, *options.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644), 1);
  ::dup2(options.err.empty() ? err_ : ::open(options.err.c_str(), O_WRONLY | O_CLOEXEC), 2);
  ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

TrainProcess::~TrainProcess() {
  if (!ended()) {
    send(SIGKILL);
    ::waitpid(child_, &state_, 0);
  }
  ::close(err_);
}

void TrainProcess::send(int signal) const { ::kill(child_, signal); }

bool TrainProcess::ended() {
  if (!reaped_) reaped_ = ::waitpid(child_, &state_, WNOHANG) == child_;
  return reaped_;
}

bool TrainProcess::wait_until(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (ended() || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

TrainProcess::Result TrainProcess::wait() {
  if (!wait_until([this] { return ended(); })) {
    send(SIGKILL);
    ::waitpid(child_, &state_, 0);
    reaped_ = true;
  }
  Result result;
  if (WIFEXITED(state_)) result.status = WEXITSTATUS(state_);
  if (WIFSIGNALED(state_)) result.signal = WTERMSIG(state_);
  result.err.resize(static_cast<size_t>(::lseek(err_, 0, SEEK_END)));
  VL3_CHECK(::pread(err_, result.err.data(), result.err.size(), 0) >= 0, kInternal, "short read");
  return result;
}

TrainRecipe::TrainRecipe(const TempDir& dir) : dir_(dir.path()) {
  const fs::path golden = golden_train_dir();
  const Json config = read_json_file(golden / "manifest.json").at("config");
  dir.write(
      "recipe.toml",
      fmt::format(R"(
model = "{0}/model"
global_batch_size = 6
max_steps = 24
dtype = "float32"
device = "cpu"
save_steps = 4
[lr]
llm_lr = 1e-3
mm_projector_lr = 1e-3
vision_encoder_lr = 1e-4
[data]
image_merge_size = {1}
video_merge_size = {2}
max_frames = {3}
mm_max_length = {4}
model_max_length = {5}
row_tokens = {6}
over_length = "cut"
max_bad_share = 0.9
[[data.sources]]
data_path = ["{0}/data/annotations.jsonl", "{0}/data/annotations_bad.jsonl"]
)",
                  golden.string(), config.at("image_merge_size").get<int64_t>(),
                  config.at("video_merge_size").get<int64_t>(), config.at("max_frames").get<int64_t>(),
                  config.at("mm_max_length").get<int64_t>(), config.at("model_max_length").get<int64_t>(),
                  2 * config.at("model_max_length").get<int64_t>()));
}

std::vector<std::string> TrainRecipe::arguments(const std::string& output,
                                                const std::vector<std::string>& set) const {
  std::vector<std::string> all{(dir_ / "recipe.toml").string(), "--set",
                               "output=" + (dir_ / output).string()};
  for (const std::string& one : set) {
    if (!one.starts_with("--")) all.emplace_back("--set");
    all.push_back(one);
  }
  return all;
}

void TrainRecipe::run(const std::string& output, const std::vector<std::string>& set) const {
  const auto result = TrainProcess(arguments(output, set)).wait();
  EXPECT_EQ(result.status, 0) << result.err;
}

std::vector<TrainProcess::Result> TrainRecipe::run_processes(int processes, const std::string& output,
                                                             const std::vector<std::string>& set,
                                                             const std::vector<TrainOptions>& options) const {
  const int port = free_port();
  std::vector<std::unique_ptr<TrainProcess>> all;
  for (int rank = 0; rank < processes; ++rank) {
    TrainOptions own =
        static_cast<size_t>(rank) < options.size() ? options[static_cast<size_t>(rank)] : TrainOptions{};
    own.environment.merge(torchrun_variables(rank, processes, port));
    all.push_back(std::make_unique<TrainProcess>(arguments(output, set), own));
  }
  std::vector<TrainProcess::Result> results;
  for (const auto& process : all) results.push_back(process->wait());
  return results;
}

std::vector<Json> TrainRecipe::log(const std::string& output) const {
  std::istringstream text(file(output, "train_log.jsonl"));
  std::vector<Json> lines;
  for (std::string line; std::getline(text, line);) {
    Json json = Json::parse(line);
    for (const char* key : {"tokens_per_s", "step_s", "data_wait_s", "peak_bytes"}) json.erase(key);
    lines.push_back(json);
  }
  return lines;
}

std::string TrainRecipe::file(const std::string& output, const std::string& name) const {
  return read_file(dir_ / output / name, 1u << 30);
}

std::map<std::string, std::string> torchrun_variables(int rank, int processes, int port) {
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(processes)},
          {"LOCAL_RANK", std::to_string(rank)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)}};
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace vl3::test
