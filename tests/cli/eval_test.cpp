// vl3 eval as users run it: the embedded model on its own generated benchmark and on official files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "cli/run_vl3.h"
#include "core/json.h"
#include "support/temp_dir.h"

namespace vl3::test {
namespace {

using Words = std::vector<std::string>;

class CliEval : public testing::Test {
 protected:
  TempDir dir_;

  RunResult eval(Words words, const RunOptions& options = {}) {
    words.insert(words.begin(), "eval");
    for (const char* word : {"--max-tokens", "8"}) words.emplace_back(word);
    RunOptions own = options;
    own.environment["OMP_NUM_THREADS"] = "1";
    own.timeout_s = 300;
    return run_vl3(words, own);
  }
  std::string out(const std::string& name) { return (dir_ / name).string(); }
  std::string benchmark() {
    const std::string folder = out("bench");
    if (!std::filesystem::exists(folder)) {
      const RunResult made = run_vl3({"synth", "--benchmark", "--out", folder, "--seed", "7", "--per-kind",
                                      "1", "--kinds", "scene,multi,text,video@f3"});
      EXPECT_EQ(made.status, 0) << made.err;
    }
    return folder;
  }
};

TEST_F(CliEval, TheGeneratedBenchmarkGivesWhatSynthScoreGives) {
  const RunResult run =
      eval({"--tasks", "synth", "--data-root", benchmark(), "--output", out("run"), "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const Json results = Json::parse(run.out);
  std::ifstream samples(dir_ / "run/samples_synth.jsonl");
  std::ofstream answers(dir_ / "answers.jsonl");
  for (std::string line; std::getline(samples, line);) {
    const Json sample = Json::parse(line);
    answers << Json{{"id", sample["doc"]["id"]}, {"prediction", sample["resps"][0][0]}}.dump() << "\n";
  }
  answers.close();
  const RunResult scored =
      run_vl3({"synth", "--score", out("answers.jsonl"), "--benchmark-dir", benchmark(), "--json"});
  ASSERT_EQ(scored.status, 0) << scored.err;
  const Json scores = Json::parse(scored.out);
  EXPECT_NEAR(results["results"]["synth"]["Overall,none"].get<double>(),
              100 * scores["all"]["accuracy"].get<double>(), 1e-9);
  EXPECT_EQ(results["n-samples"]["synth"]["effective"], scores["all"]["items"]);
  for (const auto& [kind, score] : scores["kinds"].items())
    EXPECT_NEAR(results["vl3"]["synth"]["metrics"][kind].get<double>(), 100 * score["accuracy"].get<double>(),
                1e-9)
        << kind;
}

TEST_F(CliEval, OfficialFilesTwoProcessesAndCompare) {
  const std::string root = golden_eval_dir().string();
  const Words task{"--tasks", "tempcompass,AI2D", "--data-root", root, "--preset",
                   "paper",   "--flow",           "remote"};
  const auto run_to = [&](const std::string& name, const RunOptions& options = {}) {
    Words words = task;
    words.insert(words.end(), {"--output", out(name)});
    return eval(words, options);
  };
  const RunResult alone = run_to("alone");
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_NE(alone.out.find("TempCompass"), std::string::npos);
  // A rank after the other: rank 0 finds the share of rank 1 done.
  for (const char* rank : {"1", "0"}) {
    const RunResult share =
        run_to("shared", {.environment = {{"OMPI_COMM_WORLD_RANK", rank}, {"OMPI_COMM_WORLD_SIZE", "2"}}});
    ASSERT_EQ(share.status, 0) << share.err;
    EXPECT_EQ(share.out, rank == std::string("0") ? alone.out : "");
  }
  const RunResult again = run_to("alone");
  EXPECT_NE(again.err.find("27 of 27 questions are answered already"), std::string::npos) << again.err;
  const RunResult compared = run_vl3({"eval", "compare", out("alone"), out("shared"), "--json"});
  ASSERT_EQ(compared.status, 0) << compared.err;
  EXPECT_EQ(Json::parse(compared.out)["tempcompass"]["pairs"], 21);
  EXPECT_EQ(Json::parse(compared.out)["tempcompass"]["a_better"], 0);
}

/// The embedded model on its own generated test set, in official files and by the official parsers.
TEST_F(CliEval, TheGeneratedBenchmarkInOfficialFiles) {
  const std::string kinds =
      "scene.colour@one,scene.exists@one,chart.value@pairs,document.field@pair,ocr.read@char,"
      "video.direction@f3,video.when@f3";
  const RunResult made = run_vl3({"synth", "--benchmark", "--official", "--out", out("set"), "--seed", "11",
                                  "--per-kind", "3", "--kinds", kinds});
  ASSERT_EQ(made.status, 0) << made.err;
  const RunResult run = eval({"--tasks", "AI2D,ChartQA,DocVQA,OCRBench,mvbench,charades_sta", "--data-root",
                              out("set/official"), "--output", out("run"), "--json"});
  ASSERT_EQ(run.status, 0) << run.err;
  const Json results = Json::parse(run.out)["vl3"];
  for (const auto& [name, items] : std::map<std::string, int>{{"AI2D", 6},
                                                              {"ChartQA", 3},
                                                              {"DocVQA", 3},
                                                              {"OCRBench", 3},
                                                              {"mvbench", 3},
                                                              {"charades_sta", 3}}) {
    EXPECT_EQ(results[name]["failed"], 0) << name;
    EXPECT_TRUE(results[name]["headline"]["value"].is_number()) << name << " " << results[name].dump();
    EXPECT_EQ(Json::parse(run.out)["n-samples"][name]["effective"], items) << name;
  }
}

TEST_F(CliEval, SeveralQuestionsAtOnceGetTheSameAnswers) {
  const std::string root = golden_eval_dir().string();
  Words words{"--tasks", "tempcompass,AI2D", "--data-root", root, "--dtype", "float32"};
  const auto samples = [&](const std::string& name, const char* batch_size) {
    Words all = words;
    all.insert(all.end(), {"--output", out(name), "--batch-size", batch_size});
    const RunResult run = eval(all);
    EXPECT_EQ(run.status, 0) << run.err;
    std::vector<std::string> answers;
    for (const char* task : {"tempcompass", "AI2D"}) {
      std::ifstream file(dir_ / name / (std::string("samples_") + task + ".jsonl"));
      for (std::string line; std::getline(file, line);)
        answers.push_back(Json::parse(line)["resps"][0][0].get<std::string>());
    }
    return answers;
  };
  const std::vector<std::string> one = samples("one", "1");
  EXPECT_EQ(one.size(), 27U);
  EXPECT_EQ(samples("four", "4"), one);
  words[1] = "AI2D";
  std::filesystem::copy(golden_eval_dir() / "AI2D/data", dir_ / "AI2D",
                        std::filesystem::copy_options::recursive);
  dir_.write("AI2D/images/1.png", "broken");
  words[3] = dir_.path().string();
  words.insert(words.end(), {"--output", out("broken"), "--batch-size", "3"});
  const RunResult broken = eval(words);
  EXPECT_EQ(broken.status, 1);
  EXPECT_NE(broken.err.find("2 questions have no answer"), std::string::npos) << broken.err;
}

TEST_F(CliEval, KilledRunsEndWithTheResultsOfOneThatWasNot) {
  const std::string folder = out("questions");
  const RunResult made = run_vl3(
      {"synth", "--benchmark", "--out", folder, "--seed", "3", "--per-kind", "2", "--kinds", "text,scene"});
  ASSERT_EQ(made.status, 0) << made.err;
  const Words words{"--tasks", "synth", "--data-root", folder, "--output"};
  const auto run_to = [&](const std::string& name, const RunOptions& options = {}) {
    Words all = words;
    all.push_back(out(name));
    return eval(all, options);
  };
  const auto answered = [&] {
    std::ifstream journal(dir_ / "killed/journal-0000.jsonl");
    int lines = 0;
    for (std::string line; std::getline(journal, line);) ++lines;
    return lines;
  };
  for (int kill = 0; kill < 4; ++kill) {
    const int before = answered();
    const RunResult killed =
        run_to("killed", {.interrupt_when = [&] { return answered() > before + 2; }, .signal = SIGKILL});
    EXPECT_EQ(killed.signal, SIGKILL) << killed.err;
  }
  EXPECT_EQ(run_to("killed").status, 0);
  EXPECT_EQ(run_to("whole").status, 0);
  const auto lines = [&](const std::string& name) {
    std::vector<std::string> found;
    std::ifstream samples(dir_ / name / "samples_synth.jsonl");
    for (std::string line; std::getline(samples, line);) {
      Json sample = Json::parse(line);
      sample.erase("seconds");
      found.push_back(sample.dump());
    }
    return found;
  };
  EXPECT_GT(lines("whole").size(), 30U);
  EXPECT_EQ(lines("killed"), lines("whole"));
  const auto numbers = [&](const char* name) {
    return Json::parse(std::ifstream(dir_ / name / "results.json"))["vl3"];
  };
  EXPECT_EQ(numbers("killed"), numbers("whole"));
}

TEST_F(CliEval, OtherWeightsDoNotMeetOldAnswers) {
  const std::filesystem::path model = dir_ / "model";
  std::filesystem::copy(VL3_SOURCE_DIR "/models/tiny", model);
  const Words words{"--tasks", "synth",   "--data-root",  benchmark(), "--limit",
                    "2",       "--model", model.string(), "--output",  out("run")};
  ASSERT_EQ(eval(words).status, 0);
  {
    std::fstream weights(model / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    weights.seekp(-200'000, std::ios::end);
    weights << std::string(200'000, '\0');
  }
  const RunResult run = eval(words);
  EXPECT_EQ(run.status, 2);
  EXPECT_NE(run.err.find("weights"), std::string::npos) << run.err;
}

TEST_F(CliEval, ADryRunNamesAllThatIsMissing) {
  std::filesystem::copy(golden_eval_dir() / "AI2D/data", dir_ / "AI2D",
                        std::filesystem::copy_options::recursive);
  const RunResult run =
      eval({"--tasks", "mvbench,AI2D,MMMU", "--data-root", dir_.path().string(), "--dry-run"});
  EXPECT_EQ(run.status, 1);
  EXPECT_NE(run.out.find("mvbench: cannot be read"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("MMMU: cannot be read"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("AI2D: 6 questions about 3 media, 0 files missing; about "), std::string::npos)
      << run.out;
  EXPECT_NE(run.err.find("2 benchmarks cannot be read"), std::string::npos) << run.err;
}

TEST_F(CliEval, BrokenMediaAreCountedListedAndSaid) {
  std::filesystem::copy(golden_eval_dir() / "AI2D/data", dir_ / "AI2D",
                        std::filesystem::copy_options::recursive);
  dir_.write("AI2D/images/1.png", "broken");
  std::filesystem::remove(dir_ / "AI2D/images/2.png");
  const Words words{"--tasks", "AI2D", "--data-root", dir_.path().string()};
  Words dry = words;
  dry.insert(dry.end(), {"--dry-run"});
  const RunResult planned = eval(dry);
  EXPECT_EQ(planned.status, 1);
  EXPECT_NE(planned.out.find("6 questions about 3 media, 1 files missing"), std::string::npos) << planned.out;
  Words real = words;
  real.insert(real.end(), {"--output", out("run")});
  const RunResult run = eval(real);
  EXPECT_EQ(run.status, 1);
  EXPECT_NE(run.err.find("4 questions have no answer"), std::string::npos) << run.err;
  EXPECT_NE(run.out.find("4 failed"), std::string::npos) << run.out;
}

TEST_F(CliEval, WrongUseIsOneLine) {
  const std::string root = golden_eval_dir().string();
  const std::vector<std::pair<Words, std::string>> cases = {
      {{}, "name the benchmarks with --tasks"},
      {{"--tasks", "none", "--data-root", root}, "unknown task \"none\""},
      {{"--tasks", "AI2D"}, "--data-root"},
      {{"--tasks", "AI2D,ai2d", "--data-root", root}, "twice"},
      {{"--tasks", "AI2D", "--data-root", out("none")}, "no folder"},
      {{"--tasks", "AI2D", "--root", "AI2D", "--data-root", root}, "expected NAME=DIR"},
      {{"--tasks", "AI2D", "--data-root", root, "--output", "/dev/null"}, "cannot be made"},
      {{"--tasks", "AI2D", "--data-root", root, "--model", "http://127.0.0.1:1/v1"}, "cannot connect"},
      {{"--tasks", "AI2D", "--data-root", root, "--model", "http://127.0.0.1:1/v1", "--dtype", "float32"},
       "--dtype is the server's own matter"},
      {{"--tasks", "AI2D", "--root", "AI2D=/a", "--root", "ai2d=/b"}, "names AI2D twice"},
      {{"--tasks", "AI2D", "--data-root", root, "--output", out("unjudged"), "--judge",
        "http://127.0.0.1:1/v1"},
       "cannot connect"}};
  for (const auto& [words, expected] : cases) {
    const RunResult run = eval(words);
    EXPECT_NE(run.status, 0) << command_text(words);
    EXPECT_NE(run.err.find(expected), std::string::npos) << command_text(words) << ": " << run.err;
    EXPECT_EQ(run.out, "") << command_text(words);
  }
}

}  // namespace
}  // namespace vl3::test
