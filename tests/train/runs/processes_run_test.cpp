// Several processes train as one does, go on in another number, and end together.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>

#include "train/run_folder.h"
#include "train/runs/train_process.h"

namespace vl3::test {
namespace {

void expect_close(const std::vector<Json>& found, const std::vector<Json>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    for (const char* key : {"step", "samples", "tokens", "labelled_tokens", "total_tokens", "bad_samples"})
      EXPECT_EQ(found[i].at(key), wanted[i].at(key)) << key << " of line " << i;
    EXPECT_NEAR(found[i].at("loss").get<double>(), wanted[i].at("loss").get<double>(), 1e-5) << "line " << i;
  }
}

void expect_ended(const std::vector<TrainProcess::Result>& results, int status) {
  for (const auto& result : results) EXPECT_EQ(result.status, status) << result.err;
}

// Learning rates small enough that the order of float32 sums does not grow into the sixth digit of the loss.
const std::vector<std::string> kTwenty = {"max_steps=20", "lr.llm_lr=1e-4", "lr.mm_projector_lr=1e-4"};

TEST(TrainerProcesses, TwoAndFourGiveTheLossesOfOne) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("1", kTwenty);
  for (const int processes : {2, 4}) {
    const std::string output = std::to_string(processes);
    expect_ended(recipe.run_processes(processes, output, kTwenty), 0);
    expect_close(recipe.log(output), recipe.log("1"));
    // Bad samples are those of one process, in the order of ranks within a step.
    EXPECT_EQ(recipe.file(output, "bad_samples.jsonl").size(), recipe.file("1", "bad_samples.jsonl").size());
  }
}

TEST(TrainerProcesses, ARunGoesOnInAnotherNumberOfThem) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("whole", kTwenty);
  // The schedule is that of 20 steps throughout: parts end by SIGTERM to one of the processes.
  const auto part = [&](int processes, const std::string& until) {
    const int port = free_port();
    std::vector<std::unique_ptr<TrainProcess>> all;
    for (int rank = 0; rank < processes; ++rank)
      all.push_back(std::make_unique<TrainProcess>(
          recipe.arguments("run", kTwenty),
          TrainOptions{.environment = torchrun_variables(rank, processes, port)}));
    EXPECT_TRUE(all[0]->wait_until([&] { return std::filesystem::exists(recipe.folder("run") / until); }));
    all.back()->send(SIGTERM);
    for (const auto& process : all) {
      const auto result = process->wait();
      EXPECT_EQ(result.status, 130) << result.err;
    }
  };
  part(3, "checkpoint-4");
  part(2, "checkpoint-12");
  recipe.run("run", kTwenty);
  expect_close(recipe.log("run"), recipe.log("whole"));
}

TEST(TrainerProcesses, AnErrorOfOneEndsAllWithTheSameLine) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  // Only rank 0 writes: the others wait for it to gather the optimizer's state.
  const auto results = recipe.run_processes(3, "full", {}, {TrainOptions{.file_size_limit = 500'000}});
  expect_ended(results, 1);
  const std::string line = results[0].err.substr(results[0].err.find("vl3: limit reached: writing"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_EQ(results[1].err, line);
  EXPECT_EQ(results[2].err, line);
  EXPECT_TRUE(train::list_checkpoints(recipe.folder("full")).empty());
}

TEST(TrainerProcesses, KilledOnesGoOnWhereTheyWere) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  auto set = kTwenty;
  set.emplace_back("save_steps=1");
  recipe.run("whole", set);
  for (const int step : {3, 9}) {
    const int port = free_port();
    std::vector<std::unique_ptr<TrainProcess>> all;
    for (int rank = 0; rank < 2; ++rank)
      all.push_back(std::make_unique<TrainProcess>(
          recipe.arguments("run", set), TrainOptions{.environment = torchrun_variables(rank, 2, port)}));
    EXPECT_TRUE(all[0]->wait_until([&] {
      const auto places = train::list_checkpoints(recipe.folder("run"));
      return !places.empty() && places.back().step >= step;
    }));
    for (const auto& process : all) process->send(SIGKILL);
    for (const auto& process : all) EXPECT_EQ(process->wait().signal, SIGKILL);
  }
  expect_ended(recipe.run_processes(2, "run", set), 0);
  expect_close(recipe.log("run"), recipe.log("whole"));
}

TEST(TrainerProcesses, AKilledOneEndsTheOthers) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  for (const int victim : {0, 1}) {
    const std::string output = "killed" + std::to_string(victim);
    const int port = free_port();
    std::vector<std::unique_ptr<TrainProcess>> all;
    for (int rank = 0; rank < 3; ++rank)
      all.push_back(
          std::make_unique<TrainProcess>(recipe.arguments(output, {"max_steps=100000"}),
                                         TrainOptions{.environment = torchrun_variables(rank, 3, port)}));
    EXPECT_TRUE(
        all[0]->wait_until([&] { return std::filesystem::exists(recipe.folder(output) / "checkpoint-4"); }));
    all[static_cast<size_t>(victim)]->send(SIGKILL);
    for (int rank = 0; rank < 3; ++rank) {
      const auto result = all[static_cast<size_t>(rank)]->wait();
      EXPECT_EQ(result.signal, rank == victim ? SIGKILL : 0);
      if (rank == victim) continue;
      EXPECT_EQ(result.status, 1);
      EXPECT_NE(result.err.find("One of them was killed or lost its network"), std::string::npos)
          << result.err;
    }
  }
}

}  // namespace
}  // namespace vl3::test
