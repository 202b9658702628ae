#include "train/step_lines.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::train {
namespace {

using test::TempDir;
namespace fs = std::filesystem;

std::vector<int64_t> steps_of(const fs::path& file) {
  std::vector<int64_t> steps;
  const std::string text = read_file(file, 1 << 20);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    steps.push_back(Json::parse(text.substr(begin, end - begin)).at("step").get<int64_t>());
  }
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  return steps;
}

void write_steps(const fs::path& file, int64_t resumed_step, int64_t last) {
  StepLines lines(file, resumed_step);
  for (int64_t step = resumed_step + 1; step <= last; ++step) lines.write({{"step", step}, {"loss", 0.5}});
}

TEST(StepLines, ResumingCutsLaterStepsAndATornLine) {
  const TempDir dir;
  const fs::path file = dir / "log.jsonl";
  write_steps(file, 0, 5);
  const std::string whole = read_file(file, 1 << 20);
  EXPECT_EQ(whole.substr(0, whole.find('\n')), R"({"step":1,"loss":0.5})");
  dir.write("log.jsonl", whole + whole.substr(0, 15));
  write_steps(file, 5, 6);
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  write_steps(file, 2, 3);
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{1, 2, 3}));
  dir.write("log.jsonl", std::string("\0\0\0garbage\n{\"step\": \"x\"}\n", 25));
  write_steps(file, 2, 2);
  EXPECT_EQ(steps_of(file), std::vector<int64_t>{});
}

TEST(StepLines, SeveralLinesOfAStepStayOrGoTogether) {
  const TempDir dir;
  const fs::path file = dir / "bad.jsonl";
  {
    StepLines lines(file, 0);
    for (const int64_t step : {1, 1, 3, 3}) lines.write({{"step", step}, {"reason", "not \xff UTF-8"}});
  }
  { const StepLines lines(file, 2); }
  EXPECT_EQ(steps_of(file), (std::vector<int64_t>{1, 1}));
}

}  // namespace
}  // namespace vl3::train
