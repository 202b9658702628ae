#include "eval/run/runner.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "core/file.h"
#include "eval/answerers.h"
#include "eval/run/report.h"
#include "support/temp_dir.h"

namespace vl3::eval {
namespace {

using test::error_of;

/// Every record but its seconds, as text.
std::string text_of(const Records& records) {
  std::string text;
  for (const auto& [task, items] : records) {
    for (const auto& [id, record] : items)
      text += fmt::format("{} {} {} {}\n", task, id, record.reply.text, record.error);
  }
  return text;
}

Records run_whole(const std::filesystem::path& output, const std::vector<Task>& tasks, int at_once = 1) {
  FunctionAnswerer answerer(letter_answer, at_once);
  answer_share(tasks, answerer, run_options(output), {});
  return collect(tasks, run_options(output), {});
}

TEST(Runner, AnswersEveryQuestionOnce) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(50)};
  const Records records = run_whole(dir / "run", tasks);
  EXPECT_EQ(records.at("letters").size(), 50);
  const ScoredTask scored = score_task(tasks[0], records, {});
  EXPECT_EQ(scored.failed, 0);
  const double overall = *metric_at(letter_benchmark().metrics(scored.scored), {"Overall"});
  EXPECT_GT(overall, 40);
  EXPECT_LT(overall, 95);
}

TEST(Runner, ManyThreadsGiveTheSame) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(100)};
  EXPECT_EQ(text_of(run_whole(dir / "one", tasks)), text_of(run_whole(dir / "many", tasks, 8)));
}

TEST(Runner, ProcessesShareTheMediaAndGiveTheSame) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(100), letter_task(10)};
  std::vector<std::thread> processes;
  for (int64_t rank = 0; rank < 3; ++rank) {
    processes.emplace_back([&, rank] {
      FunctionAnswerer answerer(letter_answer);
      answer_share(tasks, answerer, run_options(dir / "shared", rank, 3), {});
    });
  }
  const Records shared = collect(tasks, run_options(dir / "shared", 0, 3), {});
  for (std::thread& process : processes) process.join();
  EXPECT_EQ(text_of(shared), text_of(run_whole(dir / "alone", tasks)));
}

TEST(Runner, AProcessThatNeverComesIsNamed) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(10)};
  FunctionAnswerer answerer(letter_answer);
  RunOptions options = run_options(dir / "run", 0, 2);
  options.wait_s = 0.3;
  answer_share(tasks, answerer, options, {});
  EXPECT_NE(error_of([&] { collect(tasks, options, {}); }).find("start the same command again"),
            std::string::npos);
  // Another number of processes goes on from there.
  EXPECT_EQ(run_whole(dir / "run", tasks).at("letters").size(), 10);
}

/// Decides by the question's parity, has no word on question 3, and may be asked by several threads.
class ParityJudge : public Judge {
 public:
  int at_once() const override { return 4; }

 private:
  std::string reply_to(const JudgeRequest& request) override {
    if (request.user == "question 3") throw NotJudged(ErrorCode::kUnsupported, "refused");
    return (request.user.back() - '0') % 2 == 0 ? "1" : "0";
  }
};

TEST(Runner, AJudgeIsAskedBySeveralThreadsAndMayHaveNoWord) {
  const test::TempDir dir;
  Benchmark benchmark = letter_benchmark();
  benchmark.wholly_judged = true;
  benchmark.score = [](const Item& item, const std::string&, const Scoring& scoring) {
    Verdict verdict;
    verdict.prediction = "x";
    if (scoring.judge == nullptr)
      verdict.judge_missing = true;
    else
      verdict.score = scoring.judge->ask({.user = item.question}) == "1" ? 1 : 0;
    return verdict;
  };
  const std::vector<Task> tasks = {make_task(benchmark, "", letter_task(10).data)};
  const Records records = run_whole(dir / "run", tasks);
  ParityJudge judge;
  const Scoring rules{Defects::kFixed, &judge};
  const ScoredTask scored = score_task(tasks[0], records, rules);
  EXPECT_EQ(scored.not_judged, 1);
  EXPECT_EQ(scored.unparsed, 0);
  EXPECT_EQ(scored.verdicts[3].failure, "not judged: refused");
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(scored.verdicts[i].score, i % 2 == 0 ? 1 : 0) << i;
  // Five of nine: the one without a word is left out.
  EXPECT_NEAR(*make_report(scored, rules).headline, 500.0 / 9, 1e-9);
  const ScoredTask without = score_task(tasks[0], records, {});
  EXPECT_EQ(without.judge_missing, 10);
  EXPECT_FALSE(make_report(without, {}).headline);
}

TEST(Runner, MissingSubtitlesAreAFolderOrTheFilesThatAreNeeded) {
  const test::TempDir dir;
  const auto missing = [&](SubtitleSource::Kind kind) {
    Dataset data = letter_task(2).data;
    for (size_t i = 0; i < 2; ++i) {
      data.items[i].subtitles.kind = kind;
      data.items[i].subtitles.file = dir / fmt::format("subtitles/{}.srt", i);
    }
    return missing_media(make_task(letter_benchmark(), dir.path(), data));
  };
  const std::string folder = (dir / "subtitles").string();
  EXPECT_EQ(missing(SubtitleSource::kListed), std::vector<std::string>{folder});
  dir.write("subtitles/0.srt", "");
  EXPECT_EQ(missing(SubtitleSource::kListed), std::vector<std::string>{});
  EXPECT_EQ(missing(SubtitleSource::kInterleaved), std::vector<std::string>{folder + "/1.srt"});
}

TEST(Runner, AnotherQuestionOfTheSameIdIsAsked) {
  const test::TempDir dir;
  std::vector<Task> tasks = {letter_task(6)};
  run_whole(dir / "run", tasks);
  Dataset changed = tasks[0].data;
  changed.items[2].prompt[0].text = "question 2, but another one";
  tasks = {make_task(letter_benchmark(), "", changed)};
  std::vector<std::string> asked;
  FunctionAnswerer answerer([&](const std::string& question) {
    asked.push_back(question);
    return letter_answer(question);
  });
  answer_share(tasks, answerer, run_options(dir / "run"), {});
  EXPECT_EQ(asked, std::vector<std::string>{"question 2, but another one"});
}

TEST(Runner, RankZeroWaitsForWhatAnotherProcessAsksAgain) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(12)};
  const auto failing = [](const std::string&) -> std::string { VL3_FAIL(kNotFound, "no picture"); };
  for (int64_t rank = 0; rank < 2; ++rank) {
    FunctionAnswerer broken(failing);
    answer_share(tasks, broken, run_options(dir / "run", rank, 2), {});
  }
  // Rank 0 is through with its share before rank 1 has begun.
  FunctionAnswerer mended(letter_answer);
  answer_share(tasks, mended, run_options(dir / "run", 0, 2), {});
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    FunctionAnswerer late([](const std::string& question) {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      return letter_answer(question);
    });
    answer_share(tasks, late, run_options(dir / "run", 1, 2), {});
  });
  const Records records = collect(tasks, run_options(dir / "run", 0, 2), {});
  other.join();
  EXPECT_EQ(score_task(tasks[0], records, {}).failed, 0);
  // Where it never comes, its failures are the result.
  const test::TempDir alone;
  for (int64_t rank = 0; rank < 2; ++rank) {
    FunctionAnswerer broken(failing);
    answer_share(tasks, broken, run_options(alone / "run", rank, 2), {});
  }
  RunOptions options = run_options(alone / "run", 0, 2);
  options.retry_wait_s = 0.2;
  EXPECT_EQ(score_task(tasks[0], collect(tasks, options, {}), {}).failed, 12);
}

TEST(Runner, FailuresAreWrongAndAskedAgain) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(9)};
  int asked = 0;
  FunctionAnswerer broken([&](const std::string& question) {
    ++asked;
    if (question == "question 4") VL3_FAIL(kCorrupt, "the picture is broken");
    return letter_answer(question);
  });
  answer_share(tasks, broken, run_options(dir / "run"), {});
  EXPECT_EQ(asked, 9);
  const ScoredTask scored = score_task(tasks[0], collect(tasks, run_options(dir / "run"), {}), {});
  EXPECT_EQ(scored.failed, 1);
  EXPECT_EQ(scored.verdicts[4].score, 0);
  EXPECT_EQ(scored.verdicts[4].failure, "no answer: corrupt: the picture is broken");
  FunctionAnswerer mended([&](const std::string& question) {
    ++asked;
    return letter_answer(question);
  });
  answer_share(tasks, mended, run_options(dir / "run"), {});
  EXPECT_EQ(asked, 10);
  EXPECT_EQ(score_task(tasks[0], collect(tasks, run_options(dir / "run"), {}), {}).failed, 0);
}

TEST(Runner, AFatalErrorEndsTheRunAndKeepsWhatIsThere) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(9)};
  FunctionAnswerer gone([](const std::string& question) -> std::string {
    if (question == "question 5") throw FatalError(Error(ErrorCode::kUnsupported, "the server is gone"));
    return letter_answer(question);
  });
  EXPECT_NE(error_of([&] { answer_share(tasks, gone, run_options(dir / "run"), {}); }).find("server is gone"),
            std::string::npos);
  EXPECT_EQ(Journal::read(dir / "run").at("letters").size(), 5);
}

TEST(Runner, OtherSettingsAreRefused) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(3)};
  run_whole(dir / "run", tasks);
  FunctionAnswerer answerer(letter_answer);
  RunOptions other = run_options(dir / "run");
  other.settings["fps"] = 2;
  EXPECT_NE(error_of([&] { answer_share(tasks, answerer, other, {}); }).find("fps = 1, this run has 2"),
            std::string::npos);
}

/// A child that answers, slowly enough to be killed, and says in `asked` what it asks.
pid_t start_child(const std::vector<Task>& tasks, const std::filesystem::path& output,
                  const std::filesystem::path& asked) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  std::ofstream log(asked, std::ios::app);
  FunctionAnswerer answerer([&](const std::string& question) {
    log << question << std::endl;
    ::usleep(200);
    return letter_answer(question);
  });
  answer_share(tasks, answerer, run_options(output), {});
  ::_exit(0);
}

int64_t size_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

TEST(Runner, KilledTwentyTimesEqualsNeverKilled) {
  const test::TempDir dir;
  const std::vector<Task> tasks = {letter_task(2000)};
  const std::filesystem::path output = dir / "killed", asked = dir / "asked";
  const int64_t line = 110;  // bytes of a journal line, about
  int kills = 0;
  for (;;) {
    const int64_t begin = size_of(output / "journal-0000.jsonl");
    const pid_t child = start_child(tasks, output, asked);
    const int64_t goal = begin + line * (40 + 7 * kills);
    int status = 0;
    bool ended = false;
    while (kills < 20 && size_of(output / "journal-0000.jsonl") < goal && !ended)
      ended = ::waitpid(child, &status, WNOHANG) == child;
    if (kills < 20 && !ended) {
      ::kill(child, SIGKILL);
      ++kills;
    }
    if (!ended) ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      break;
    }
  }
  EXPECT_EQ(kills, 20);
  // Nothing lost, nothing different.
  EXPECT_EQ(text_of(collect(tasks, run_options(output), {})), text_of(run_whole(dir / "whole", tasks)));
  // Asked again was only what was on its way when the process died.
  const std::string text = read_file(asked, 1 << 20);
  const int64_t asks = std::count(text.begin(), text.end(), '\n');
  EXPECT_GE(asks, 2000);
  EXPECT_LE(asks, 2000 + kills);
}

}  // namespace
}  // namespace vl3::eval
