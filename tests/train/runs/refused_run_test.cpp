// Commands that must not do harm: they end with one line, and what lay in the folders before still lies
// there.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "core/file.h"
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

TEST(TrainerRefusals, AStepThatTrainsNothing) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  expect_refused(recipe, "run", {"max_steps=1"}, 2, "1 step at learning rate 0, so nothing would be trained");
}

TEST(TrainerRefusals, ACheckpointBeyondTheEnd) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("run", {"max_steps=6", "save_steps=6"});
  const auto before = names_in(recipe.folder("run"));
  expect_refused(recipe, "run", {"max_steps=3", "--resume=" + checkpoint(recipe, "run", 6)}, 2,
                 "is of step 6, but the run has 3 steps");
  EXPECT_EQ(names_in(recipe.folder("run")), before);
}

TEST(TrainerRefusals, ADamagedCheckpointIsPassedOver) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::vector<std::string> steps = {"max_steps=6", "save_steps=2"};
  recipe.run("whole", steps);
  recipe.run("run", steps);
  fs::remove(recipe.folder("run") / "finished.json");
  const fs::path damaged = recipe.folder("run") / "checkpoint-6/optimizer.safetensors";
  std::string bytes = recipe.file("run", "checkpoint-6/optimizer.safetensors");
  bytes.back() ^= 1;
  dir.write(fs::relative(damaged, dir.path()).string(), bytes);
  const auto result = TrainProcess(recipe.arguments("run", steps)).wait();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("optimizer.safetensors is not what was written"), std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("goes on from " + checkpoint(recipe, "run", 4)), std::string::npos) << result.err;
  EXPECT_EQ(recipe.log("run"), recipe.log("whole"));
  EXPECT_TRUE(fs::exists(recipe.folder("run") / "abandoned-checkpoint-6"));
}

TEST(TrainerRefusals, OtherDataOfTheSameNameAndCount) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  std::string lines = read_file(golden_train_dir() / "data/annotations.jsonl", 1 << 24);
  const std::vector<std::string> set = {
      "data.sources.0.data_path=" + dir.write("own.jsonl", lines).string(),
      "data.sources.0.data_folder=" + (golden_train_dir() / "data").string(), "max_steps=4", "save_steps=2"};
  recipe.run("run", set);
  const size_t at = lines.find("\"value\": \"", lines.size() / 2) + 10;
  lines[at] = lines[at] == 'x' ? 'y' : 'x';  // of the same length, too
  dir.write("own.jsonl", lines);
  auto resumed = set;
  resumed.push_back("--resume=" + checkpoint(recipe, "run", 2));
  expect_refused(recipe, "run", resumed, 2, "the run to go on with had other data: \"lists\" was");
}

TEST(TrainerRefusals, ProcessesWithOtherRecipesOrData) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::string lines = read_file(golden_train_dir() / "data/annotations.jsonl", 1 << 24);
  const auto both = [&](const std::vector<std::string>& first, const std::vector<std::string>& second,
                        const std::vector<std::string>& folders = {".", "."}) {
    const int port = free_port();
    const fs::path here = fs::current_path();
    fs::current_path(dir / folders[0]);
    TrainProcess a(recipe.arguments("run", first), {.environment = torchrun_variables(0, 2, port)});
    fs::current_path(dir / folders[1]);
    TrainProcess b(recipe.arguments("run", second), {.environment = torchrun_variables(1, 2, port)});
    fs::current_path(here);
    const auto result = a.wait(), other = b.wait();
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_EQ(other.status, 2) << other.err;
    EXPECT_EQ(result.err, other.err);
    EXPECT_TRUE(train::list_checkpoints(recipe.folder("run")).empty());
    return result.err;
  };
  std::string error = both({}, {"lr.llm_lr=2e-3"});
  EXPECT_NE(error.find("process 1 has other keys of the recipe than process 0: lr.llm_lr = 0.002 instead of"),
            std::string::npos)
      << error;
  error = both({"save_steps=3"}, {"data.dataloader_num_workers=1"});
  EXPECT_NE(error.find("save_steps = 4 instead of save_steps = 3"), std::string::npos) << error;
  // The same paths to different files, as on machines whose disks have drifted apart.
  fs::create_directories(dir / "a");
  fs::create_directories(dir / "b");
  dir.write("a/own.jsonl", lines);
  dir.write("b/own.jsonl", lines + lines.substr(0, lines.find('\n') + 1));
  const std::vector<std::string> set = {
      "data.sources.0.data_path=own.jsonl",
      "data.sources.0.data_folder=" + (golden_train_dir() / "data").string()};
  error = both(set, set, {"a", "b"});
  EXPECT_NE(error.find("process 1 has other data than process 0: \"own.jsonl: "), std::string::npos) << error;
}

TEST(TrainerRefusals, AdaptersOfOtherWeights) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const fs::path base = recipe.folder("base");
  fs::copy(golden_train_dir() / "model", base, fs::copy_options::recursive);
  const std::vector<std::string> set = {"max_steps=4", "save_steps=2", "lora.r=2",
                                        "lr.vision_encoder_lr=none", "model=" + base.string()};
  recipe.run("run", set);
  fs::remove(recipe.folder("run") / "finished.json");
  fs::remove_all(recipe.folder("run") / "checkpoint-4");
  for (const std::string& name : names_in(base)) {
    if (!name.ends_with(".safetensors")) continue;
    std::string weights = recipe.file("base", name);
    weights[weights.size() - 200] = static_cast<char>(weights[weights.size() - 200] ^ 1);
    dir.write("base/" + name, weights);
  }
  const auto before = names_in(recipe.folder("run"));
  expect_refused(
      recipe, "run", set, 2,
      "the weights of model " + base.string() + " have changed since " + checkpoint(recipe, "run", 2));
  EXPECT_EQ(names_in(recipe.folder("run")), before);
  auto regardless = set;
  regardless.push_back("--resume=" + checkpoint(recipe, "run", 2));
  const auto result = TrainProcess(recipe.arguments("run", regardless)).wait();
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("have changed since"), std::string::npos) << result.err;
}

TEST(TrainerRefusals, WhatLiesInTheOutputStays) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  // Not even where the run would be refused a moment later.
  dir.write("mine/backup.tmp-7-1/thesis", "x");
  expect_refused(recipe, "mine", {"data.sources.0.data_path=nowhere.jsonl"}, 1, "nowhere.jsonl");
  EXPECT_TRUE(fs::exists(recipe.folder("mine") / "backup.tmp-7-1/thesis"));
  dir.write("weights/model-00001-of-00002.safetensors", "x");
  expect_refused(recipe, "weights", {}, 2, "holds a model that no run has made");
  // A recipe that lies where the run's record goes.
  const std::string text = recipe.file("", "recipe.toml") + "# a comment\n";
  dir.write("own/recipe.toml", text);
  const auto result =
      TrainProcess({(dir / "own/recipe.toml").string(), "--set", "output=" + (dir / "own").string()}).wait();
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_NE(result.err.find("would write its own record over this recipe"), std::string::npos) << result.err;
  EXPECT_EQ(recipe.file("own", "recipe.toml"), text);
}

TEST(TrainerRefusals, ACheckpointAsOutput) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("run", {"max_steps=2", "save_steps=2"});
  expect_refused(recipe, "run/checkpoint-2", {"max_steps=4"}, 2,
                 "is a checkpoint, which would be overwritten");
  // The record of a run may be run again.
  const std::string record = (recipe.folder("run") / "recipe.toml").string();
  EXPECT_EQ(TrainProcess({record}).wait().status, 0);
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
