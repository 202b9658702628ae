// Commands that must not do harm: they end with one line, and what lay in the folders before still lies there.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "train/run_folder.h"
#include "train/runs/train_process.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

std::string checkpoint(const TrainRecipe& recipe, const std::string& run, int step) {
  return (recipe.folder(run) / ("checkpoint-" + std::to_string(step))).string();
}

void expect_refused(const TrainRecipe& recipe, const std::string& output, const std::vector<std::string>& set,
                    int status, const std::string& reason) {
  const auto result = TrainProcess(recipe.arguments(output, set)).wait();
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_NE(result.err.find(reason), std::string::npos) << result.err;
}

TEST(TrainerRefusals, AResumeThatFailsLeavesTheRunAsItIs) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::vector<std::string> steps = {"max_steps=4", "save_steps=2"};
  recipe.run("run", steps);
  auto lora = steps;
  lora.insert(lora.end(), {"lora.r=2", "lr.vision_encoder_lr=none"});
  recipe.run("lora", lora);
  const auto before = names_in(recipe.folder("run"));
  auto other = steps;
  other.push_back("--resume=" + checkpoint(recipe, "lora", 2));
  expect_refused(recipe, "run", other, 1, "optimizer state lacks");
  EXPECT_EQ(names_in(recipe.folder("run")), before);
  EXPECT_EQ(recipe.log("run").size(), 4u);
  EXPECT_TRUE(fs::exists(recipe.folder("run") / "finished.json"));
}

TEST(TrainerRefusals, DataOfNothingButBadSamples) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::vector<std::string> set = {
      "data.sources.0.data_path=" + (golden_train_dir() / "data/annotations_bad.jsonl").string(),
      "data.max_bad_share=1"};
  expect_refused(recipe, "run", set, 1, "a whole pass over the data, can be trained on; the last one: ");
  EXPECT_LT(fs::file_size(recipe.folder("run") / "bad_samples.jsonl"), 100'000u);
}

TEST(TrainerRefusals, AStepOfMoreThanAnEpoch) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  expect_refused(recipe, "run", {"global_batch_size=1000000000"}, 2,
                 "global_batch_size 1000000000 is more than the ");
}

TEST(TrainerRefusals, ASignalIsSeenWhileAStepIsCollected) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  // A first step that takes minutes to collect.
  TrainProcess process(recipe.arguments("run", {"data.sources.0.weight=1000", "global_batch_size=30000"}));
  ASSERT_TRUE(process.wait_until([&] { return fs::exists(recipe.folder("run") / "recipe.toml"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  process.send(SIGTERM);
  const auto sent = std::chrono::steady_clock::now();
  const auto result = process.wait();
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_NE(result.err.find("stopped at step 0 of 24: there is nothing to go on from"), std::string::npos)
      << result.err;
  EXPECT_LT(std::chrono::steady_clock::now() - sent, std::chrono::seconds(20));
  EXPECT_TRUE(train::list_checkpoints(recipe.folder("run")).empty());
}

TEST(TrainerRefusals, TheModelThatTrainingBeginsWith) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  fs::copy(golden_train_dir() / "model", recipe.folder("model"), fs::copy_options::recursive);
  const std::string before = recipe.file("model", "config.json");
  const auto names = names_in(recipe.folder("model"));
  expect_refused(recipe, "model", {"model=" + recipe.folder("model").string(), "max_steps=1"}, 2,
                 "is the folder of the model that training begins with");
  expect_refused(recipe, "model", {"max_steps=1"}, 2, "holds a model that no run has made");
  EXPECT_EQ(names_in(recipe.folder("model")), names);
  EXPECT_TRUE(recipe.file("model", "config.json") == before);
}

}  // namespace
}  // namespace vl3::test
