// A disk that is full while a checkpoint is written: one line, no part of it left, earlier ones untouched,
// and the run goes on once there is room.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <set>

#include "train/run_folder.h"
#include "train/runs/train_process.h"
#include "train/trainer_state.h"

namespace vl3::test {
namespace {

namespace fs = std::filesystem;

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void expect_whole(const fs::path& run, const std::vector<int64_t>& steps) {
  std::vector<int64_t> found;
  for (const auto& place : train::list_checkpoints(run)) {
    EXPECT_EQ(train::read_trainer_state(place.path).step, place.step);
    found.push_back(place.step);
  }
  EXPECT_EQ(found, steps);
  for (const auto& entry : fs::directory_iterator(run))
    EXPECT_EQ(entry.path().filename().string().find(".tmp"), std::string::npos) << entry.path();
}

void expect_one_line(const TrainProcess::Result& result, const std::string& reason) {
  EXPECT_EQ(result.status, 1);
  const size_t at = result.err.find("vl3: limit reached: writing ");
  ASSERT_NE(at, std::string::npos) << result.err;
  const std::string line = result.err.substr(at);
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  EXPECT_NE(line.find("earlier checkpoints are whole"), std::string::npos) << line;
  EXPECT_NE(line.find(reason), std::string::npos) << line;
}

TEST(TrainerDisk, AFileThatMayNotGrow) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("whole", {"max_steps=12"});
  recipe.run("run", {"max_steps=4", "lr.llm_lr=1e-3"});
  const fs::path first = recipe.folder("run") / "checkpoint-4";
  const uint64_t limit = fs::file_size(first / "optimizer.safetensors") - 1000;
  ASSERT_LT(fs::file_size(first / "model.safetensors"), limit);
  const auto result = TrainProcess(recipe.arguments("run", {"max_steps=12", "--resume=" + first.string()}),
                                   {.file_size_limit = limit})
                          .wait();
  expect_one_line(result, "optimizer.safetensors: write failed: File too large");
  expect_whole(recipe.folder("run"), {4});
}

TEST(TrainerDisk, AFullDisk) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  recipe.run("whole", {"max_steps=12"});
  const uint64_t one = bytes_in(recipe.folder("whole") / "checkpoint-12");
  fs::create_directory(recipe.folder("disk"));
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", recipe.folder("disk").c_str(), "tmpfs", 0,
              ("size=" + std::to_string(one * 5 / 2)).c_str()) != 0) {
    GTEST_SKIP() << "mounting is not allowed here";
  }
  // Two fit, the third does not: three are to be kept.
  const auto result =
      TrainProcess(recipe.arguments("disk/run", {"max_steps=12", "save_total_limit=3", "logging_steps=4"}))
          .wait();
  expect_one_line(result, "No space left on device");
  expect_whole(recipe.folder("disk/run"), {4, 8});
  ASSERT_EQ(::mount(nullptr, recipe.folder("disk").c_str(), nullptr, MS_REMOUNT,
                    ("size=" + std::to_string(one * 6)).c_str()),
            0);
  recipe.run("disk/run", {"max_steps=12", "save_total_limit=3", "logging_steps=4"});
  EXPECT_TRUE(recipe.file("disk/run", "model.safetensors") == recipe.file("whole", "model.safetensors"));
  EXPECT_EQ(recipe.file("disk/run", "bad_samples.jsonl"), recipe.file("whole", "bad_samples.jsonl"));
  ::umount(recipe.folder("disk").c_str());
}

}  // namespace
}  // namespace vl3::test
