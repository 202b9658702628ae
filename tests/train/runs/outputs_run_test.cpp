// What a run writes, as other programs read it.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "core/file.h"
#include "train/runs/train_process.h"
#include "weights/python.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

int vl3_status(const std::string& arguments) {
  return std::system(("OMP_NUM_THREADS=1 " VL3_BINARY " " + arguments + " >/dev/null 2>&1").c_str());
}

TEST(TrainerOutputs, JsonLinesOnStdoutAndInTheLog) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  auto arguments = recipe.arguments("run", {"max_steps=6", "logging_steps=2"});
  arguments.emplace_back("--json");
  EXPECT_EQ(TrainProcess(arguments, {}, dir / "stdout").wait().status, 0);
  std::istringstream text(read_file(dir / "stdout", 1 << 20));
  std::vector<int64_t> steps;
  for (std::string line; std::getline(text, line);) {
    const Json json = Json::parse(line);
    steps.push_back(json.at("step").get<int64_t>());
    EXPECT_GT(json.at("loss").get<double>(), 0);
    EXPECT_GT(json.at("tokens_per_s").get<double>(), 0);
    EXPECT_GT(json.at("peak_bytes").get<int64_t>(), 1 << 20);
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  std::vector<int64_t> logged;
  for (const Json& line : recipe.log("run")) logged.push_back(line.at("step").get<int64_t>());
  EXPECT_EQ(logged, (std::vector<int64_t>{2, 4, 6}));
}

TEST(TrainerOutputs, AStderrThatIsFullLosesNothing) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const auto arguments = recipe.arguments("run", {"max_steps=4", "save_steps=2"});
  EXPECT_EQ(TrainProcess(arguments, {.err = "/dev/full"}).wait().status, 0);
  EXPECT_TRUE(fs::exists(recipe.folder("run") / "finished.json"));
  EXPECT_EQ(TrainProcess({"none.toml"}, {.err = "/dev/full"}).wait().status, 1) << "an error has its status";
}

TEST(TrainerOutputs, AStdoutThatIsFullEndsTheRunAfterACheckpoint) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  auto arguments = recipe.arguments("run", {"max_steps=4"});
  arguments.emplace_back("--json");
  const auto result = TrainProcess(arguments, {}, "/dev/full").wait();
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("stdout: cannot be written"), std::string::npos) << result.err;
  EXPECT_TRUE(fs::exists(recipe.folder("run") / "checkpoint-1/trainer_state.json"));
  recipe.run("run", {"max_steps=4"});
  EXPECT_EQ(recipe.log("run").size(), 4u);
}

TEST(TrainerOutputs, TensorBoardReadsTheRunAfterAKill) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  {
    TrainProcess process(recipe.arguments("run"));
    ASSERT_TRUE(process.wait_until([&] { return fs::exists(recipe.folder("run") / "checkpoint-8"); }));
    process.send(SIGKILL);
    process.wait();
  }
  recipe.run("run");
  const auto read = run_python("../train/read_events.py", {(recipe.folder("run") / "tensorboard").string()});
  if (read.status == kPythonSkipped) GTEST_SKIP() << read.output;
  ASSERT_EQ(read.status, 0) << read.output;
  const Json scalars = Json::parse(read.output.substr(read.output.find('{')));
  const auto log = recipe.log("run");
  const Json& losses = scalars.at("train/loss");
  ASSERT_EQ(losses.size(), log.size());
  for (size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(losses[i][0], log[i].at("step"));
    EXPECT_NEAR(losses[i][1].get<double>(), log[i].at("loss").get<double>(), 1e-6);
  }
  for (const char* tag : {"train/llm_lr", "train/grad_norm", "train/tokens_per_s", "train/bad_samples"})
    EXPECT_EQ(scalars.at(tag).size(), log.size()) << tag;
}

TEST(TrainerOutputs, AnAdapterThatIsNotAllSaysSo) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("run", {"max_steps=2", "lora.r=2", "lr.vision_encoder_lr=none"});
  EXPECT_NE(recipe.file("run", "adapter/README.md").find("mm_projector trained whole beside them"),
            std::string::npos);
  recipe.run("alone", {"max_steps=2", "lora.r=2", "lr.vision_encoder_lr=none", "lr.mm_projector_lr=none"});
  EXPECT_FALSE(fs::exists(recipe.folder("alone") / "adapter/README.md"));
  EXPECT_TRUE(fs::exists(recipe.folder("alone") / "adapter/adapter_config.json"));
}

TEST(TrainerOutputs, NeedsNoTemporaryFolder) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const auto result =
      TrainProcess(recipe.arguments("run", {"max_steps=2"}), {.environment = {{"TMPDIR", "/nonexistent"}}})
          .wait();
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(TrainerOutputs, TransformersGivesACheckpointTheSameLogits) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::string native = (dir / "native").string();
  ASSERT_EQ(vl3_status("convert " + (golden_train_dir() / "model").string() + " " + native + " --to native"),
            0);
  recipe.run("run", {"model=" + native, "max_steps=6"});
  dir.write("messages.json", Json{{"messages",
                                   {{{"role", "user"},
                                     {"content",
                                      {{{"type", "image_url"}, {"image_url", {{"url", "images/one.png"}}}},
                                       {{"type", "text"}, {"text", "What is in the picture?"}}}}}}}}
                                 .dump());
  for (const std::string folder : {"run/checkpoint-4", "run"}) {
    const std::string trace = (dir / "trace").string(), model = recipe.folder(folder).string();
    ASSERT_EQ(vl3_status("trace --dtype float32 --model " + model + " --messages " +
                         (dir / "messages.json").string() + " --media-root " +
                         (golden_train_dir() / "data").string() + " --out " + trace +
                         ".safetensors --greedy-tokens 1 --logits-positions all"),
              0);
    const auto result = run_python("../train/runs/trained_logits.py", {model, trace});
    if (result.status == kPythonSkipped) GTEST_SKIP() << result.output;
    EXPECT_EQ(result.status, 0) << result.output;
  }
}

}  // namespace
}  // namespace vl3::test
