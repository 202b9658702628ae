// A run that is stopped and goes on ends as one that was left alone, bit by bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "core/file.h"
#include "train/run_folder.h"
#include "train/runs/train_process.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

void expect_same(const TrainRecipe& recipe, const std::string& found, const std::string& wanted) {
  EXPECT_EQ(recipe.log(found), recipe.log(wanted));
  EXPECT_EQ(recipe.file(found, "bad_samples.jsonl"), recipe.file(wanted, "bad_samples.jsonl"));
  EXPECT_EQ(recipe.file(found, "finished.json"), recipe.file(wanted, "finished.json"));
  EXPECT_TRUE(recipe.file(found, "model.safetensors") == recipe.file(wanted, "model.safetensors"));
}

bool has_lines(const fs::path& file, int64_t lines) {
  std::error_code error;
  if (!fs::exists(file, error)) return false;
  const std::string text = read_file(file, 1 << 24);
  return std::count(text.begin(), text.end(), '\n') >= lines;
}

// SIGTERM after `steps` steps: a checkpoint, then the stated status.
void stop_after(const TrainRecipe& recipe, const std::string& output, int64_t steps,
                const std::vector<std::string>& set) {
  TrainProcess process(recipe.arguments(output, set));
  ASSERT_TRUE(
      process.wait_until([&] { return has_lines(recipe.folder(output) / "train_log.jsonl", steps); }));
  process.send(SIGTERM);
  const auto result = process.wait();
  EXPECT_EQ(result.status, 130) << result.err;
  EXPECT_NE(result.err.find("the same command goes on from the checkpoint"), std::string::npos) << result.err;
  const auto lines = recipe.log(output);
  const int64_t step = lines.back().at("step");
  EXPECT_LT(step, 24);
  EXPECT_EQ(train::list_checkpoints(recipe.folder(output)).back().step, step) << "what was done is saved";
  EXPECT_FALSE(fs::exists(recipe.folder(output) / "finished.json"));
}

TEST(TrainerResume, StoppedRunsEndAsOneLeftAlone) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::vector<std::vector<std::string>> kinds = {
      {},
      {"dtype=bfloat16", "optim.max_grad_norm=1.0", "data.packing=samples"},
      {"lora.r=4", "lora.lora_dropout=0.1", "lr.vision_encoder_lr=none"},
      {"optim.optimizer=muon", "max_steps=none", "num_train_epochs=4.5"}};
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    SCOPED_TRACE(kind);
    const std::string whole = "whole" + std::to_string(kind), stopped = "stopped" + std::to_string(kind);
    recipe.run(whole, kinds[kind]);
    EXPECT_EQ(recipe.log(whole).size(), 24u);
    stop_after(recipe, stopped, 3, kinds[kind]);
    stop_after(recipe, stopped, 10, kinds[kind]);
    recipe.run(stopped, kinds[kind]);
    expect_same(recipe, stopped, whole);
  }
}

// Eight pictures with a question each: as OpenAI messages, and as a WebDataset tar.
std::vector<std::string> messages_and_tar(const TempDir& dir) {
  const std::string picture = read_file(golden_train_dir() / "data/images/one.png", 1 << 24);
  std::string messages, members;
  for (int i = 0; i < 8; ++i) {
    const std::string number = std::to_string(i), answer = "Answer " + number + ".";
    const Json user = {{"role", "user"},
                       {"content",
                        {{{"type", "image_url"}, {"image_url", {{"url", "images/one.png"}}}},
                         {{"type", "text"}, {"text", "Question " + number + "?"}}}}};
    messages += Json{{"messages", {user, {{"role", "assistant"}, {"content", answer}}}}}.dump() + "\n";
    const Json turns = {{{"from", "human"}, {"value", "<image>Question?"}},
                        {{"from", "gpt"}, {"value", answer}}};
    dir.write("members/" + number + ".json",
              Json{{"id", number}, {"image", "png"}, {"conversations", turns}}.dump());
    dir.write("members/" + number + ".png", picture);
    members += " " + number + ".json " + number + ".png";
  }
  const std::string tar = (dir / "eight.tar").string();
  EXPECT_EQ(std::system(("tar -C " + (dir / "members").string() + " -cf " + tar + members).c_str()), 0);
  return {"data.sources.0.data_path=" + dir.write("messages.jsonl", messages).string(),
          "data.sources.0.data_folder=" + (golden_train_dir() / "data").string(),
          "data.sources.1.data_path=" + tar, "data.shuffle_window=3"};
}

TEST(TrainerResume, MessagesAndTarsGoOnLikewise) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const auto data = messages_and_tar(dir);
  recipe.run("whole", data);
  for (const Json& line : recipe.log("whole")) EXPECT_EQ(line.at("bad_samples"), 0);
  stop_after(recipe, "stopped", 5, data);
  recipe.run("stopped", data);
  expect_same(recipe, "stopped", "whole");
}

TEST(TrainerResume, AFinishedRunIsNotTrainedAgain) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("run", {"max_steps=4"});
  const auto written = fs::last_write_time(recipe.folder("run") / "checkpoint-4");
  auto result = TrainProcess(recipe.arguments("run", {"max_steps=4"})).wait();
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.err.find("nothing to do: the run has finished after 4 steps"), std::string::npos)
      << result.err;
  EXPECT_EQ(fs::last_write_time(recipe.folder("run") / "checkpoint-4"), written);

  result = TrainProcess(recipe.arguments("run", {"max_steps=6"})).wait();
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("by another recipe (max_steps: 4 -> 6)"), std::string::npos) << result.err;
  EXPECT_EQ(recipe.log("run").size(), 4u);

  recipe.run("run", {"max_steps=6", "--resume=" + (recipe.folder("run") / "checkpoint-4").string()});
  EXPECT_EQ(recipe.log("run").size(), 6u);
  EXPECT_TRUE(fs::exists(recipe.folder("run") / "finished.json"));
}

TEST(TrainerResume, TooManyBadSamplesStopARun) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  stop_after(recipe, "run", 4, {});
  // Samples before the stop count, too: the first step that goes on is already one too many.
  const auto steps = recipe.log("run").size();
  const auto result = TrainProcess(recipe.arguments("run", {"data.max_bad_share=0.1"})).wait();
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("above data.max_bad_share = 0.1; the last one: "), std::string::npos)
      << result.err;
  EXPECT_LE(recipe.log("run").size(), std::max<size_t>(steps, 8)) << "50 samples are nine steps";
}

TEST(TrainerResume, AnEpochThatEndsWithTheLastStep) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  // The same eight records once an epoch; two epochs are four steps of four.
  const std::string lines = read_file(golden_train_dir() / "data/annotations.jsonl", 1 << 24);
  size_t end = 0;
  for (int line = 0; line < 8; ++line) end = lines.find('\n', end) + 1;
  dir.write("eight.jsonl", lines.substr(0, end));
  const std::vector<std::string> data = {
      "data.sources.0.data_path=" + (dir / "eight.jsonl").string(),
      "data.sources.0.data_folder=" + (golden_train_dir() / "data").string(), "global_batch_size=4"};
  auto by_epochs = data, by_steps = data;
  by_epochs.insert(by_epochs.end(), {"max_steps=none", "num_train_epochs=2.0"});
  by_steps.emplace_back("max_steps=4");
  recipe.run("epochs", by_epochs);
  recipe.run("steps", by_steps);
  const auto log = recipe.log("epochs");
  ASSERT_EQ(log.size(), 4u);
  EXPECT_EQ(log.back().at("epoch"), 2.0);
  expect_same(recipe, "steps", "epochs");
  EXPECT_EQ(train::list_checkpoints(recipe.folder("epochs")).size(), 1u) << "the last step is saved once";
}

}  // namespace
}  // namespace vl3::test
