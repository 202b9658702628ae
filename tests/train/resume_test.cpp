#include "train/resume.h"

#include <gtest/gtest.h>

#include <set>

#include "core/file.h"
#include "support/temp_dir.h"
#include "train/recipe.h"

namespace vl3::train {
namespace {

using test::error_of;
using test::names_in;
using test::TempDir;
namespace fs = std::filesystem;

// Folders that look like a run's; what is in a checkpoint's files is not looked at here.
class Resume : public ::testing::Test {
 protected:
  static TrainConfig config(const std::vector<std::string>& set = {}) {
    return parse_recipe("model = \"m\"\nlr.llm_lr = 1e-5\n[[data.sources]]\ndata_path = [\"a.jsonl\"]\n",
                        "r.toml", set);
  }
  fs::path checkpoint(int64_t step) {
    const fs::path folder = run_.path() / fmt::format("checkpoint-{}", step);
    fs::create_directory(folder);
    write_file_atomically(folder / "recipe.toml", recipe_toml(config()));
    write_file_atomically(folder / "model.safetensors", std::string(2000, 'x'));
    TrainerState state;
    state.step = step;
    write_trainer_state(state, folder);
    return folder;
  }
  std::string auto_error(const std::vector<std::string>& set = {}) {
    return error_of([&] { find_resume_point(run_, config(set), "auto"); });
  }

  TempDir dir_;
  RunFolder run_{dir_ / "run"};
};

TEST_F(Resume, PicksTheNewestWholeCheckpoint) {
  EXPECT_FALSE(find_resume_point(run_, config(), "auto").has_value());
  EXPECT_FALSE(find_resume_point(run_, config(), "never").has_value());
  for (const int64_t step : {9, 10, 100}) checkpoint(step);
  fs::create_directory(run_.path() / "checkpoint-300");  // by hand: no state in it
  EXPECT_EQ(find_resume_point(run_, config(), "auto")->state.step, 100);
  write_file_atomically(run_.path() / "checkpoint-100/model.safetensors", std::string(1999, 'x') + "y");
  EXPECT_EQ(find_resume_point(run_, config(), "auto")->state.step, 10) << "of the right size, but damaged";
  EXPECT_NE(error_of([&] {
              find_resume_point(run_, config(), (run_.path() / "checkpoint-100").string());
            }).find("model.safetensors is not what was written"),
            std::string::npos);
  fs::resize_file(run_.path() / "checkpoint-100/model.safetensors", 1000);
  EXPECT_EQ(find_resume_point(run_, config(), "auto")->folder, run_.path() / "checkpoint-10");
  fs::remove(run_.path() / "checkpoint-10/model.safetensors");
  EXPECT_EQ(find_resume_point(run_, config(), "auto")->state.step, 9);
  EXPECT_NE(error_of([&] {
              find_resume_point(run_, config(), (run_.path() / "checkpoint-10").string());
            }).find("model.safetensors is missing"),
            std::string::npos);
  EXPECT_NE(
      error_of([&] { find_resume_point(run_, config(), "never"); }).find("holds checkpoints up to step 300"),
      std::string::npos);
  dir_.write("run/checkpoint-9/trainer_state.json", "{\"format\": 1");
  EXPECT_NE(auto_error().find("none of its 4 checkpoints is whole"), std::string::npos);
}

TEST_F(Resume, LaterCheckpointsAreAbandonedOnlyOnceTheRunGoesOn) {
  for (const int64_t step : {1, 2, 3}) checkpoint(step);
  EXPECT_EQ(find_resume_point(run_, config(), (run_.path() / "checkpoint-1").string())->state.step, 1);
  EXPECT_EQ(names_in(run_.path()),
            (std::set<std::string>{".lock", "checkpoint-1", "checkpoint-2", "checkpoint-3"}));
  abandon_later_checkpoints(run_, 1);
  checkpoint(2);
  abandon_later_checkpoints(run_, 1);  // what was abandoned before stays
  EXPECT_EQ(names_in(run_.path()),
            (std::set<std::string>{".lock", "checkpoint-1", "abandoned-checkpoint-2",
                                   "abandoned-checkpoint-2.2", "abandoned-checkpoint-3"}));
  EXPECT_EQ(find_resume_point(run_, config(), "auto")->state.step, 1);
  abandon_later_checkpoints(run_, 0);
  EXPECT_NE(auto_error().find("holds abandoned-checkpoint-N only"), std::string::npos) << auto_error();
}

TEST_F(Resume, WhatAnInterruptedProcessLeftIsRemovedAndNothingElse) {
  const fs::path other = dir_ / "other";
  const std::set<std::string> own = {"checkpoint-notes.txt", "backup.tmp-2024",        "backup.tmp-2024-11",
                                     "backup.trash-77-1",    "checkpoint-8.tmp-final", "link.tmp-77-5"};
  fs::create_directories(other / "backup.tmp-2024/thesis");
  fs::create_directories(other / "backup.tmp-2024-11/thesis");
  fs::create_directories(other / "checkpoint-8.tmp-final");
  fs::create_directory_symlink(dir_.path(), other / "link.tmp-77-5");
  for (const char* name : {"checkpoint-notes.txt", "backup.trash-77-1"})
    dir_.write(std::string("other/") + name, "mine");
  fs::create_directories(other / "checkpoint-200.tmp-77-0");
  fs::create_directories(other / "checkpoint-8.trash-77-1");
  fs::create_directories(other / "model-files.tmp-77-2");
  dir_.write("other/model.safetensors.tmp-77-3", "half");
  const RunFolder run(other);
  const auto all = names_in(other);
  run.remove_debris();
  EXPECT_EQ(names_in(other), all) << "no run has begun here";
  dir_.write("other/recipe.toml", "");
  run.remove_debris();
  auto left = own;
  left.insert({".lock", "recipe.toml"});
  EXPECT_EQ(names_in(other), left);
}

TEST_F(Resume, AChangedRecipeNeedsTheFoldersName) {
  const fs::path folder = checkpoint(5);
  EXPECT_EQ(auto_error({"save_steps=7", "output=elsewhere", "data.dataloader_num_workers=9"}), "");
  EXPECT_NE(auto_error({"gradient_checkpointing=false"}), "") << "sums in another order";
  const std::string error = auto_error({"lr.llm_lr=2e-5", "data.fps=2.0"});
  EXPECT_NE(
      error.find("was made by another recipe (data.fps: 1.0 -> 2.0, lr.llm_lr: 1e-05 -> 2e-05); undo that"),
      std::string::npos)
      << error;
  EXPECT_NE(error.find("--resume " + folder.string()), std::string::npos) << error;
  const auto point = find_resume_point(run_, config({"lr.llm_lr=2e-5"}), folder.string());
  EXPECT_EQ(point->changed, std::vector<std::string>{"lr.llm_lr: 1e-05 -> 2e-05"});
}

TEST_F(Resume, AFinishedRunSaysSo) {
  EXPECT_FALSE(finished_steps(run_, config(), "auto").has_value());
  write_file_atomically(run_.path() / "recipe.toml", recipe_toml(config()));
  TrainerState state;
  state.step = 12;
  mark_finished(run_, state);
  EXPECT_EQ(finished_steps(run_, config({"save_steps=7"}), "auto"), 12);
  EXPECT_FALSE(finished_steps(run_, config(), (run_.path() / "checkpoint-5").string()).has_value());
  EXPECT_NE(error_of([&] { finished_steps(run_, config(), "never"); }).find("has finished after 12 steps"),
            std::string::npos);
  const std::string error = error_of([&] { finished_steps(run_, config({"max_steps=20"}), "auto"); });
  EXPECT_NE(error.find("has finished after 12 steps, made by another recipe (max_steps: none -> 20)"),
            std::string::npos)
      << error;
  unmark_finished(run_);
  EXPECT_FALSE(finished_steps(run_, config(), "auto").has_value());
}

}  // namespace
}  // namespace vl3::train
