// vl3 curate with a checkpoint, as users run it: the embedded model judges, sorts and captions a small
// collection.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "cli/run_vl3.h"
#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::test {
namespace {

std::vector<Json> json_lines(const std::filesystem::path& file) {
  std::vector<Json> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

class CliCurate : public testing::Test {
 protected:
  TempDir dir_;

  std::string path(const std::string& name) { return (dir_ / name).string(); }

  void SetUp() override {
    const RunResult made =
        run_vl3({"synth", "--collection", "--out", path("raw"), "--count", "80", "--seed", "3"});
    ASSERT_EQ(made.status, 0) << made.err;
  }
  RunResult curate(std::vector<std::string> words) {
    words.insert(words.begin(), {"curate", "--input", path("raw/items.jsonl"), "--data-root",
                                 path("raw/media"), "--output", path("out")});
    RunOptions options;
    options.environment["OMP_NUM_THREADS"] = "1";
    options.timeout_s = 300;
    return run_vl3(words, options);
  }
  // Lines of kept.jsonl and dropped.jsonl by position.
  std::map<int64_t, Json> rows() {
    std::map<int64_t, Json> all;
    for (const char* name : {"out/kept.jsonl", "out/dropped.jsonl"}) {
      for (Json& row : json_lines(dir_ / name)) all.emplace(row["position"].get<int64_t>(), std::move(row));
    }
    return all;
  }
};

TEST_F(CliCurate, TheCheckpointTellsWrongCaptionsFromRightOnes) {
  const RunResult run = curate({"--set", "model=default", "--set", "features=encoder", "--set",
                                "similarity.min_gain=-100", "--set", "clusters.count=4"});
  ASSERT_EQ(run.status, 0) << run.err;
  const std::map<int64_t, Json> found = rows();
  EXPECT_EQ(found.size(), 80u);
  double right = 0, wrong = 0;
  int rights = 0, wrongs = 0;
  for (const Json& truth : json_lines(dir_ / "raw/truth.jsonl")) {
    const Json& row = found.at(truth["position"].get<int64_t>());
    if (!row["scores"].contains("caption_gain")) continue;
    const double gain = row["scores"]["caption_gain"];
    if (truth["fault"] == "") right += gain, ++rights;
    if (truth["fault"] == "wrong_caption") wrong += gain, ++wrongs;
  }
  ASSERT_GT(rights, 10);
  ASSERT_GT(wrongs, 0);
  EXPECT_GT(right / rights, wrong / wrongs + 0.2);
  // Another threshold drops without looking at a picture again.
  std::filesystem::rename(dir_ / "raw/media/000", dir_ / "raw/away");
  const RunResult stricter = curate(
      {"--set", "model=default", "--set", "features=encoder", "--set", "similarity.min_gain=0", "--json"});
  ASSERT_EQ(stricter.status, 0) << stricter.err;
  EXPECT_GT(Json::parse(stricter.out)["reasons"]["text_image_similarity"], 0);
}

// In the program malloc is jemalloc's, in the scorer's own test glibc's.
TEST_F(CliCurate, AnOnnxModelScoresInTheProgram) {
  std::filesystem::copy_file(std::filesystem::path(VL3_SOURCE_DIR) / "tests/cli/data/mean.onnx",
                             dir_ / "mean.onnx");
  std::ofstream(dir_ / "scored.toml")
      << "[[scorers]]\nname = \"mean\"\nkind = \"onnx\"\npath = \"" << path("mean.onnx")
      << "\"\nside = 32\nmean = [\"0\", \"0\", \"0\"]\nstd = [\"1\", \"1\", \"1\"]\n"
      << "min = 0.5\n";
  const RunResult run = curate({path("scored.toml")});
  ASSERT_EQ(run.status, 0) << run.err;
  int scored = 0;
  for (const auto& [position, row] : rows()) {
    if (!row["scores"].contains("mean")) continue;
    ++scored;
    EXPECT_NEAR(row["scores"]["mean"].get<double>(), row["scores"]["exposure"].get<double>() / 255, 0.25);
    EXPECT_TRUE(row["scores"]["mean"] >= 0.5 || row.contains("reason"));
  }
  EXPECT_GT(scored, 30);
}

TEST_F(CliCurate, CaptionsAreThoseOfAsk) {
  const RunResult run = curate({"--set", "model=default", "--set", "caption.short_caption=true", "--set",
                                "caption.detailed_caption=true", "--set", "caption.max_tokens=40", "--set",
                                "caption.short_prompt=Describe the image.", "--set", "dtype=float32", "--set",
                                "export.caption=short", "--set", "export.format=both"});
  ASSERT_EQ(run.status, 0) << run.err;
  const std::vector<Json> kept = json_lines(dir_ / "out/kept.jsonl");
  ASSERT_GT(kept.size(), 5u);
  for (size_t i = 0; i < 3; ++i) {
    const std::string medium = path("raw/media/" + kept[i]["media"].get<std::string>());
    for (const auto& [key, question] : {std::pair{"short_caption", "Describe the image."},
                                        std::pair{"detailed_caption", "Describe the image in detail."}}) {
      const RunResult asked = run_vl3({"ask", "--image", medium, "--dtype", "float32", "--temperature", "0",
                                       "--max-tokens", "40", "--json", question},
                                      {.environment = {{"OMP_NUM_THREADS", "1"}}});
      ASSERT_EQ(asked.status, 0) << asked.err;
      EXPECT_EQ(kept[i][key], Json::parse(asked.out)["answer"]) << medium;
    }
  }
  const std::vector<Json> train = json_lines(dir_ / "out/train.jsonl");
  const auto exported =
      std::count_if(kept.begin(), kept.end(), [](const Json& row) { return !row.contains("not_exported"); });
  ASSERT_EQ(std::ssize(train), exported);
  EXPECT_GT(exported, std::ssize(kept) / 2);
  EXPECT_EQ(train[0]["conversations"][1]["value"], kept[0]["short_caption"]);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "out/webdataset/00000.tar"));
}

}  // namespace
}  // namespace vl3::test
