// `kill -9` at random moments: whatever is left, the same command goes on, and the run ends as an unkilled
// one.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <random>

#include "core/check.h"
#include "train/run_folder.h"
#include "train/runs/train_process.h"

namespace vl3::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kKills = 24;

int64_t newest_step(const std::filesystem::path& run) {
  const auto places = train::list_checkpoints(run);
  return places.empty() ? 0 : places.back().step;
}

TEST(TrainerKill, TwentyFourKillsChangeNothing) {
  const TempDir dir;
  const TrainRecipe recipe(dir);
  const std::vector<std::string> set = {"max_steps=48", "save_steps=1"};
  const auto begin = Clock::now();
  std::chrono::duration<double> start{};
  {
    TrainProcess process(recipe.arguments("whole", set));
    process.wait_until([&] { return std::filesystem::exists(recipe.folder("whole") / "checkpoint-1"); });
    start = Clock::now() - begin;
    ASSERT_EQ(process.wait().status, 0);
  }
  const std::chrono::duration<double> step = (Clock::now() - begin - start) / 47;

  // A life lasts from nothing to two steps more than the start took, and ends at its first checkpoint,
  // however fast the machine has become meanwhile: about 48 steps in all at most.
  std::mt19937 random(std::random_device{}());
  std::uniform_real_distribution<double> lifetime(0, (start + 2 * step).count());
  int kills = 0;
  for (; kills < kKills; ++kills) {
    TrainProcess process(recipe.arguments("killed", set));
    const auto born = Clock::now();
    const std::chrono::duration<double> life(lifetime(random));
    const int64_t step_before = newest_step(recipe.folder("killed"));
    process.wait_until([&] {
      return Clock::now() - born >= life || newest_step(recipe.folder("killed")) >= step_before + 1;
    });
    process.send(SIGKILL);
    const auto result = process.wait();
    if (result.signal == 0) {
      EXPECT_EQ(result.status, 0) << result.err;  // finished before
      break;
    }
  }
  EXPECT_GE(kills, 20);
  recipe.run("killed", set);
  EXPECT_EQ(recipe.log("killed"), recipe.log("whole"));
  for (const char* file : {"model.safetensors", "bad_samples.jsonl", "finished.json"})
    EXPECT_TRUE(recipe.file("killed", file) == recipe.file("whole", file)) << file;
}

}  // namespace
}  // namespace vl3::test
