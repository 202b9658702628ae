#include "train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include "core/file.h"
#include "support/temp_dir.h"
#include "weights/checkpoint.h"
#include "weights/convert.h"
#include "weights/python.h"
#include "weights/random_init.h"
#include "weights/small_model.h"

namespace vl3::train {
namespace {

using test::error_of;
using test::names_in;
using test::TempDir;
namespace fs = std::filesystem;

// A model whose tensors all hold one number that tells which step wrote them.
class Checkpoints : public ::testing::Test {
 protected:
  void SetUp() override { make(Flow::kRemote); }
  void make(Flow layout) {
    fs::remove_all(dir_ / "base");
    weights::write_random_checkpoint(test::small_config(layout, true), dir_ / "base",
                                     {.seed = 1, .dtype = weights::DType::kF32});
    model_ = weights::load_model_config(dir_ / "base");
  }

  static weights::OutTensor filled(const std::string& name, std::vector<int64_t> shape, float value,
                                   weights::DType dtype = weights::DType::kF32) {
    weights::OutTensor out{.info = {name, dtype, std::move(shape)}};
    const uint64_t bytes = out.info.size_bytes();
    out.produce = [bytes, value, dtype](const weights::ByteSink& sink) {
      const auto size = static_cast<uint64_t>(weights::dtype_size(dtype));
      std::vector<std::byte> data(bytes);
      for (uint64_t i = 0; i < bytes / size; ++i) {
        if (dtype == weights::DType::kF32) std::memcpy(data.data() + i * size, &value, size);
      }
      sink(data);
    };
    return out;
  }

  CheckpointContents contents(int64_t step, int64_t optimizer_values = 10) const {
    CheckpointContents out;
    for (const weights::ExpectedTensor& tensor : weights::expected_tensors(model_)) {
      out.weights.push_back(filled(tensor.name, tensor.shape, static_cast<float>(step)));
    }
    out.optimizer = {filled("step", {1}, 0, weights::DType::kBF16),
                     filled("llm.exp_avg", {optimizer_values}, static_cast<float>(step))};
    out.state.step = step;
    out.state.data = {{"position", 3 * step}};
    out.state.versions = {{"vl3", "test"}};
    out.recipe = "name = \"x\"\n";
    return out;
  }
  CheckpointStore store(const RunFolder& run, int64_t limit) const {
    return CheckpointStore(run, ModelFiles(model_, weights::DType::kF32, true, run.path()), limit);
  }
  float weight_of(const fs::path& folder) const {
    const auto opened = weights::Checkpoint::open(folder, weights::load_model_config(folder));
    return test::widened(opened.view("model.language_model.norm.weight")).front();
  }

  TempDir dir_;
  weights::ModelConfig model_;
  fs::path run_ = dir_ / "run";
};

TEST_F(Checkpoints, HoldAModelFolderOptimizerAndState) {
  for (const Flow layout : {Flow::kRemote, Flow::kNative}) {
    make(layout);
    fs::remove_all(run_);
    const RunFolder run(run_);
    CheckpointStore saved = store(run, 2);
    CheckpointContents parts = contents(7);
    parts.write_more = [](const fs::path& folder) {
      fs::create_directory(folder / "adapter");
      write_file_atomically(folder / "adapter/adapter_config.json", "{}");
    };
    const fs::path folder = saved.save(parts);
    EXPECT_EQ(folder, run_ / "checkpoint-7");
    EXPECT_EQ(weight_of(folder), 7);
    EXPECT_EQ(weights::load_model_config(folder).layout, layout);
    const weights::SafetensorsFile optimizer(folder / kOptimizerFile);
    EXPECT_EQ(test::widened(optimizer.at("llm.exp_avg")), std::vector<float>(10, 7.0f));
    const TrainerState state = read_trainer_state(folder);
    EXPECT_EQ(state.step, 7);
    EXPECT_EQ(state.data.at("position"), 21);
    EXPECT_EQ(state.versions.at("vl3"), "test");
    EXPECT_EQ(names_in(run_), (std::set<std::string>{".lock", "checkpoint-7"}));
    EXPECT_TRUE(fs::exists(folder / "adapter/adapter_config.json"));
  }
}

TEST_F(Checkpoints, TheConfigSaysWhetherTokensWerePruned) {
  const RunFolder run(run_);
  for (const bool on : {false, true}) {
    for (const Flow layout : {Flow::kRemote, Flow::kNative}) {
      make(layout);
      const fs::path folder = dir_ / fmt::format("files-{}-{}", on, flow_name(layout));
      fs::create_directory(folder);
      ModelFiles(model_, weights::DType::kBF16, on, run.path()).write(folder);
      EXPECT_EQ(weights::load_model_config(folder).preprocess.use_token_compression, on);
      EXPECT_EQ(weights::load_model_config(folder).torch_dtype, "bfloat16");
    }
  }
}

TEST_F(Checkpoints, DoNotNeedTheSourceFolderAnyMore) {
  const RunFolder run(run_);
  CheckpointStore saved = store(run, 2);
  fs::remove_all(dir_ / "base");
  EXPECT_EQ(weight_of(saved.save(contents(1))), 1);
}

TEST_F(Checkpoints, DamagedOnesAreKnownByTheirDigests) {
  const RunFolder run(run_);
  const fs::path folder = store(run, 2).save(contents(3));
  EXPECT_NO_THROW(verify_checkpoint(folder));
  for (const char* name : {kOptimizerFile, "model.safetensors", "recipe.toml"}) {
    std::fstream file(folder / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const int byte = file.get();
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(byte ^ 1));
    file.close();
    EXPECT_NE(error_of([&] { verify_checkpoint(folder); }).find(name), std::string::npos);
    file.open(folder / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(byte));
    file.close();
    EXPECT_NO_THROW(verify_checkpoint(folder));
  }
}

TEST_F(Checkpoints, KeepTheLastOnes) {
  const RunFolder run(run_);
  CheckpointStore saved = store(run, 2);
  for (int64_t step = 10; step <= 50; step += 10) saved.save(contents(step));
  EXPECT_EQ(names_in(run_), (std::set<std::string>{".lock", "checkpoint-40", "checkpoint-50"}));
  EXPECT_EQ(weight_of(run_ / "checkpoint-50"), 50);
}

TEST_F(Checkpoints, ASecondRunOfAStepReplacesIt) {
  const RunFolder run(run_);
  store(run, 2).save(contents(10));
  CheckpointContents other = contents(10);
  other.weights.back() = filled(other.weights.back().info.name, other.weights.back().info.shape, 99);
  store(run, 2).save(other);
  EXPECT_EQ(names_in(run_), (std::set<std::string>{".lock", "checkpoint-10"}));
  EXPECT_EQ(weight_of(run_ / "checkpoint-10"),
            other.weights.back().info.name.ends_with("norm.weight") ? 99 : 10);
}

TEST_F(Checkpoints, TheFinalModelLiesInTheRunsFolder) {
  const RunFolder run(run_);
  CheckpointStore saved = store(run, 1);
  saved.publish(saved.save(contents(5)));
  EXPECT_EQ(weight_of(run_), 5);
  EXPECT_FALSE(fs::exists(run_ / kOptimizerFile));
  // Trained on: the older model's shards would not fit the new one.
  write_file_atomically(run_ / "model-00002-of-00003.safetensors", "stale");
  saved.publish(saved.save(contents(6)));
  EXPECT_EQ(weight_of(run_), 6);
  EXPECT_FALSE(fs::exists(run_ / "model-00002-of-00003.safetensors"));
  fs::remove_all(run_ / "checkpoint-6");
  EXPECT_EQ(weight_of(run_), 6);
}

TEST_F(Checkpoints, TransformersLoadsOneAsItIs) {
  make(Flow::kNative);
  int seen = 0;
  for (const test::GoldenModel& golden : test::golden_models()) {
    if (golden.native.empty() || !fs::exists(golden.native / "tokenizer.json")) continue;
    // Its own weights, as a run of no steps would write them.
    const auto config = weights::load_model_config(golden.native);
    const auto opened = weights::Checkpoint::open(golden.native, config);
    const RunFolder run(dir_ / "golden");
    CheckpointContents parts = contents(1);
    parts.weights.clear();
    for (const weights::ExpectedTensor& tensor : opened.tensors()) {
      const weights::TensorView& view = opened.view(tensor.name);
      parts.weights.push_back({{tensor.name, view.dtype, tensor.shape},
                               [&view](const weights::ByteSink& sink) { sink(view.bytes()); }});
    }
    CheckpointStore saved(
        run, ModelFiles(config, opened.dtype(), config.preprocess.use_token_compression, run.path()), 1);
    const fs::path folder = saved.save(parts);
    const auto result =
        test::run_python("load_in_transformers.py", {folder.string(), golden.native.string(), "equal"});
    if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
    EXPECT_EQ(result.status, 0) << result.output;
    ++seen;
    break;
  }
  if (seen == 0) GTEST_SKIP() << "the golden set has no native model with a tokenizer";
}

TEST_F(Checkpoints, TwoProcessesDoNotTrainIntoOneFolder) {
  const RunFolder run(run_);
  const std::string text = error_of([&] { const RunFolder second(run_); });
  EXPECT_NE(text.find(fmt::format("process {} trains into this folder", ::getpid())), std::string::npos)
      << text;
}

TEST_F(Checkpoints, SurviveKillsAtAnyMoment) {
  // Moments are spread over a few saves, however long one takes here; on until some saves were finished, too.
  const auto begin = std::chrono::steady_clock::now();
  {
    const RunFolder other(dir_ / "other");
    store(other, 2).save(contents(1, 200'000));
  }
  const auto save =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  std::mt19937 random(7);
  int64_t newest = 0;
  for (int kill = 0; kill < 25 || (newest < 5 && kill < 300); ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        const RunFolder run(run_);
        const auto places = list_checkpoints(run_);
        CheckpointStore saved = store(run, 2);
        for (int64_t step = places.empty() ? 1 : places.back().step + 1;; ++step)
          saved.publish(saved.save(contents(step, 200'000)));
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(1);
    }
    ::usleep(static_cast<useconds_t>(random() % static_cast<uint64_t>(4 * save.count() + 1000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));  // not ended by an error of its own
    // Whatever stands there under a checkpoint's name is whole, and no step was lost.
    const std::vector<CheckpointPlace> places = list_checkpoints(run_);
    for (const CheckpointPlace& place : places) {
      EXPECT_EQ(read_trainer_state(place.path).step, place.step);
      EXPECT_EQ(weight_of(place.path), static_cast<float>(place.step));
    }
    if (!places.empty()) {
      EXPECT_GE(places.back().step, newest);
      newest = places.back().step;
    }
    if (fs::exists(run_ / "config.json")) {
      EXPECT_LE(weight_of(run_), static_cast<float>(newest));
    }
    const RunFolder run(run_);
    write_file_atomically(run_ / kRecipeFile, "");
    run.remove_debris();
    for (const std::string& name : names_in(run_))
      EXPECT_TRUE(name == kRecipeFile || name.find(".t") == std::string::npos) << name;
  }
  EXPECT_GE(newest, 5);
}

// In a child, since limits and mounts hold for a whole process. @return its report.
template <typename Action>
std::string in_child(const Action& action) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = action();
    (void)!::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<size_t>(got));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return out;
}

TEST_F(Checkpoints, AFullDiskIsOneErrorAndLeavesTheLastOneWhole) {
  const std::string report = in_child([&]() -> std::string {
    const fs::path disk = dir_ / "disk";
    fs::create_directory(disk);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
      return "skipped: mounting is not allowed here";
    }
    const RunFolder run(disk / "run");
    CheckpointStore saved = store(run, 2);
    saved.save(contents(1));
    const std::string text = error_of([&] { saved.save(contents(2, 400'000)); });
    std::string left = fmt::format("{}", fmt::join(names_in(disk / "run"), " "));
    saved.save(contents(3));  // and there is room again
    return fmt::format("{}\n{}\n{} {}", text, left, read_trainer_state(disk / "run/checkpoint-1").step,
                       read_trainer_state(disk / "run/checkpoint-3").step);
  });
  if (report.starts_with("skipped")) GTEST_SKIP() << report;
  EXPECT_EQ(report.substr(0, 14), "limit reached:") << report;
  EXPECT_NE(
      report.find("optimizer.safetensors: write failed: No space left on device\n.lock checkpoint-1\n1 3"),
      std::string::npos)
      << report;
}

TEST_F(Checkpoints, AFileSizeLimitIsOneErrorAndLeavesTheLastOneWhole) {
  const std::string report = in_child([&]() -> std::string {
    std::signal(SIGXFSZ, SIG_IGN);
    const RunFolder run(run_);
    CheckpointStore saved = store(run, 2);
    saved.save(contents(1));
    const rlimit limit{500'000, 500'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string text = error_of([&] { saved.save(contents(2, 400'000)); });
    return text + "\n" + fmt::format("{}", fmt::join(names_in(run_), " "));
  });
  EXPECT_EQ(report.substr(0, 14), "limit reached:") << report;
  EXPECT_NE(report.find("\n.lock checkpoint-1"), std::string::npos) << report;
  EXPECT_EQ(weight_of(run_ / "checkpoint-1"), 1);
}

TEST_F(Checkpoints, AMissingOrMisshapenWeightIsRefused) {
  const RunFolder run(run_);
  CheckpointStore saved = store(run, 2);
  CheckpointContents parts = contents(1);
  parts.weights.pop_back();
  EXPECT_NE(error_of([&] { saved.save(parts); }).find("missing"), std::string::npos);
  EXPECT_EQ(names_in(run_), std::set<std::string>{".lock"});
}

TEST(TrainerState, MalformedOnesAreErrors) {
  const TempDir dir;
  const auto error = [&](const std::string& text) {
    dir.write("trainer_state.json", text);
    return error_of([&] { read_trainer_state(dir.path()); });
  };
  EXPECT_EQ(error_of([&] { read_trainer_state(dir / "none"); }).substr(0, 10), "not found:");
  EXPECT_NE(error("[]"), "");
  EXPECT_NE(error("{}").find("\"format\" is missing"), std::string::npos);
  EXPECT_NE(error(R"({"format": 3})").find("this vl3 reads up to 2"), std::string::npos);
  EXPECT_NE(error(R"({"format": 1, "files": {"../../etc/passwd": 1}})"), "");
  EXPECT_NE(error(R"({"format": 1, "files": {}, "step": -1})"), "");
}

}  // namespace
}  // namespace vl3::train
