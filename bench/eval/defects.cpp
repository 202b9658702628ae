// What mending the official code's defects does to scores: every run of made-up answers of a golden set,
// scored as shipped and mended. usage: vl3_eval_defects DIR     DIR: as $VL3_GOLDEN_EVAL_DIR
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>

#include "core/file.h"
#include "eval/canned_run.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

std::optional<double> headline(const Benchmark& benchmark, const ScoredRun& run) {
  return benchmark.metrics ? metric_at(benchmark.metrics(run.scored), benchmark.headline) : std::nullopt;
}

void print_row(const fs::path& folder) {
  const Benchmark& benchmark = find_benchmark(paper_benchmarks(), folder.filename().string());
  const Json responses = read_json_file(folder / "responses.json");
  const Dataset shipped = benchmark.load(folder / "data", Defects::kOfficial);
  const Dataset mended = benchmark.load(folder / "data", Defects::kFixed);
  double sum = 0, most = 0, runs = 0, answers = 0, other = 0;
  for (const Json& golden : responses["runs"]) {
    const ScoredRun before = score_run(benchmark, shipped, golden["responses"], Defects::kOfficial);
    const ScoredRun after = score_run(benchmark, mended, golden["responses"], Defects::kFixed);
    for (size_t i = 0; i < after.verdicts.size(); ++i) {
      ++answers;
      other += before.verdicts[i].prediction != after.verdicts[i].prediction ||
                       before.verdicts[i].score != after.verdicts[i].score
                   ? 1
                   : 0;
    }
    ++runs;
    const auto from = headline(benchmark, before), to = headline(benchmark, after);
    if (!from || !to) continue;
    const double difference = *to - *from;
    sum += difference;
    if (std::abs(difference) > std::abs(most)) most = difference;
  }
  fmt::print("{:<18}{:>6}{:>10.1f} %{:>12}{:>12}\n", benchmark.name, runs, 100 * other / answers,
             benchmark.headline.empty() ? "-" : fmt::format("{:+.2f}", sum / runs),
             benchmark.headline.empty() ? "-" : fmt::format("{:+.2f}", most));
}

}  // namespace
}  // namespace vl3::eval

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: vl3_eval_defects DIR\n", stderr);
    return 2;
  }
  try {
    fmt::print("{:<18}{:>6}{:>12}{:>12}{:>12}\n", "benchmark", "runs", "answers", "points", "most");
    std::set<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      if (std::filesystem::exists(entry.path() / "responses.json")) folders.insert(entry.path());
    }
    for (const auto& folder : folders) vl3::eval::print_row(folder);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
