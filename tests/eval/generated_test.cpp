// A generated test set in official files, read and scored by the benchmarks those files belong to.
#include <gtest/gtest.h>

#include "eval/benchmark.h"
#include "eval/scorers/letters.h"
#include "support/temp_dir.h"
#include "synth/benchmark.h"

namespace vl3::eval {
namespace {

using test::error_of;

synth::BenchmarkOptions options(const std::filesystem::path& out) {
  synth::BenchmarkOptions options;
  options.out = out;
  options.per_kind = 2;
  options.official = true;
  return options;
}

std::string right_answer(const std::string& benchmark, const Item& item) {
  if (benchmark == "AI2D" || benchmark == "mvbench") return letter(item.ground_truth.get<size_t>());
  if (benchmark == "charades_sta")
    return fmt::format("{} - {}", item.ground_truth[0].get<double>(), item.ground_truth[1].get<double>());
  const Json& truth = item.ground_truth;
  return truth.is_array() ? truth.front().get<std::string>() : truth.get<std::string>();
}

TEST(GeneratedBenchmark, OfficialFilesAreReadAndRightAnswersAreRight) {
  const test::TempDir dir;
  synth::write_benchmark({}, options(dir / "set"));
  for (const char* name : {"AI2D", "ChartQA", "DocVQA", "OCRBench", "mvbench", "charades_sta"}) {
    SCOPED_TRACE(name);
    const Benchmark& benchmark = find_benchmark(paper_benchmarks(), name);
    const Dataset data = benchmark.load(dir / "set/official" / name, Defects::kFixed);
    EXPECT_GT(data.items.size(), 1U);
    std::vector<Verdict> verdicts;
    for (const Item& item : data.items) {
      ASSERT_EQ(item.media.size(), 1U);
      EXPECT_TRUE(std::filesystem::is_regular_file(item.media[0].path)) << item.media[0].path;
      verdicts.push_back(benchmark.score(item, right_answer(name, item), {}));
      EXPECT_NEAR(verdicts.back().score, 1, 1e-6) << item.question << " " << item.ground_truth.dump();
      EXPECT_LT(benchmark.score(item, "zzz", {}).score, 1) << item.question;
    }
  }
}

TEST(GeneratedBenchmark, FramesInFoldersAreNoFilesOfABenchmark) {
  const test::TempDir dir;
  synth::BenchmarkOptions write = options(dir / "set");
  write.video = synth::VideoFiles::kPng;
  synth::SynthOptions clips;
  clips.mixture = {{.kind = "video.when", .levels = {}, .weight = 1}};
  EXPECT_NE(error_of([&] { synth::write_benchmark(clips, write); }).find("folder of frames"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir / "set"));
}

}  // namespace
}  // namespace vl3::eval
