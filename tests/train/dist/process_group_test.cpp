#include "train/dist/process_group.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "core/file.h"
#include "train/random_model.h"

namespace vl3::train {
namespace {

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

struct Outcome {
  std::vector<double> losses, norms;
  double state_sum = 0, optimizer_bytes = 0;
};

// Starts the worker as `world` processes, as torchrun would. @return exit statuses by rank; what they print
// on stderr goes to OUT.RANK.
std::vector<int> run_workers(int world, const std::filesystem::path& model, const std::filesystem::path& out,
                             const std::vector<std::string>& more) {
  const int port = free_port();
  std::vector<pid_t> children;
  for (int rank = 0; rank < world; ++rank) {
    std::vector<std::string> environment = {
        "RANK=" + std::to_string(rank),        "WORLD_SIZE=" + std::to_string(world),
        "LOCAL_RANK=" + std::to_string(rank),  "MASTER_ADDR=127.0.0.1",
        "MASTER_PORT=" + std::to_string(port), "OMP_NUM_THREADS=1"};
    std::vector<std::string> arguments = {VL3_TRAIN_WORKER, model.string(), out.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> argv, envp;
    for (auto& argument : arguments) argv.push_back(argument.data());
    for (auto& variable : environment) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, (out.string() + "." + std::to_string(rank)).c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, VL3_TRAIN_WORKER, &files, nullptr, argv.data(), envp.data()), 0);
    posix_spawn_file_actions_destroy(&files);
    children.push_back(child);
  }
  std::vector<int> statuses;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    statuses.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }
  return statuses;
}

Outcome train_on(int world, const std::filesystem::path& model, const std::filesystem::path& out,
                 const std::string& dtype) {
  for (const int status : run_workers(world, model, out, {dtype}))
    EXPECT_EQ(status, 0) << "a worker of " << world << " failed";
  Outcome outcome;
  std::ifstream file(out);
  double loss = 0, norm = 0;
  while (file >> loss >> norm) outcome.losses.push_back(loss), outcome.norms.push_back(norm);
  EXPECT_EQ(outcome.losses.size(), 21u);
  if (outcome.losses.empty()) return outcome;
  outcome.state_sum = outcome.losses.back(), outcome.optimizer_bytes = outcome.norms.back();
  outcome.losses.pop_back(), outcome.norms.pop_back();
  return outcome;
}

TEST(ProcessGroup, OneTwoAndFourProcessesGiveTheSameLosses) {
  const test::TempDir folder;
  for (const bool tied : {true, false}) {
    const auto model = folder / (tied ? "tied" : "untied");
    test::random_model(model, tied);
    const Outcome one = train_on(1, model, folder / "1.txt", "float32");
    ASSERT_EQ(one.losses.size(), 20u);
    EXPECT_GT(std::abs(one.losses[10] - one.losses[0]), 1e-3) << "something is learned";
    for (const int world : {2, 4}) {
      const Outcome many = train_on(world, model, folder / "n.txt", "float32");
      ASSERT_EQ(many.losses.size(), 20u);
      for (size_t i = 0; i < 20; ++i) {
        EXPECT_NEAR(many.losses[i], one.losses[i], 1e-5) << world << " processes, step " << i;
        EXPECT_NEAR(many.norms[i] / one.norms[i], 1, 1e-4) << world << " processes, step " << i;
      }
      EXPECT_NEAR(many.state_sum / one.state_sum, 1, 1e-4);
      EXPECT_NEAR(many.optimizer_bytes * world / one.optimizer_bytes, 1, 0.2) << "sharded state";
    }
  }
}

TEST(ProcessGroup, BFloat16OnTwoProcesses) {
  const test::TempDir folder;
  test::random_model(folder / "model", true);
  const Outcome one = train_on(1, folder / "model", folder / "1.txt", "bfloat16");
  const Outcome two = train_on(2, folder / "model", folder / "2.txt", "bfloat16");
  ASSERT_EQ(one.losses.size(), two.losses.size());
  for (size_t i = 0; i < one.losses.size(); ++i) EXPECT_NEAR(two.losses[i], one.losses[i], 1e-2) << i;
}

TEST(ProcessGroup, AnErrorOfOneEndsAllWithTheSameLine) {
  const test::TempDir folder;
  test::random_model(folder / "model", true);
  for (const auto& [fail, wanted] : {std::pair("row", "token 1000000 is outside the vocabulary"),
                                     std::pair("pending", "process 1 fails")}) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(run_workers(4, folder / "model", folder / fail, {"float32", fail}),
              (std::vector<int>{1, 1, 1, 1}));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60)) << "waits for a time-out";
    const std::string first = read_file(folder / (std::string(fail) + ".0"), 10'000);
    EXPECT_NE(first.find(wanted), std::string::npos) << first;
    for (const char* rank : {".1", ".2", ".3"})
      EXPECT_EQ(read_file(folder / (fail + std::string(rank)), 10'000), first);
  }
}

TEST(ProcessGroup, SaysWhenTheOthersDoNotCome) {
  LaunchEnvironment environment;
  environment.world_size = 2;
  environment.master_addr = "127.0.0.1";
  environment.master_port = free_port();
  const JoinTimeouts timeouts{.join = std::chrono::seconds(1), .collective = std::chrono::seconds(1)};
  const std::string error = test::error_of([&] { join_processes(environment, at::kCPU, timeouts); });
  EXPECT_NE(error.find("process 0 of 2 could not join the others at 127.0.0.1"), std::string::npos) << error;
}

}  // namespace
}  // namespace vl3::train
