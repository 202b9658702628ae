#include "eval/run/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/check.h"
#include "eval/data/files.h"
#include "eval/data/item.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

struct Sample {
  double score = 0;
  bool failed = false;  // no answer, or one that nothing could be made of
  std::string section, medium, asked;
};
using Samples = std::map<std::string, Sample>;  // by id

constexpr double kMostScore = 100;  // an IoU may pass 1

Samples read_samples(const fs::path& path) {
  Samples samples;
  for (const Json& line : read_json_lines(path)) {
    const JsonView view(line, path.string());
    const JsonView doc = view.object("doc");
    const std::string id = id_text(doc.at("id"));
    const Json& media = doc.at("media");
    const double score = view.number("score");
    VL3_CHECK(score >= 0 && score <= kMostScore, kCorrupt, "{}: item {}: {} is no score", path.string(), id,
              score);
    const Sample sample{.score = score,
                        .failed = !view.string_or("failure", "").empty(),
                        .section = doc.string_or("section", ""),
                        .medium = media.empty() ? "no media, question " + id : media.dump(),
                        .asked = Json{view.at("input"), view.at("target"), media.size()}.dump()};
    const bool added = samples.emplace(id, sample).second;
    VL3_CHECK(added, kCorrupt, "{}: item {} comes twice", path.string(), id);
  }
  return samples;
}

/// Of sections, as of videomme's questions without and with subtitles, each by itself, too.
std::map<std::string, Samples> sections_of(const Samples& samples) {
  std::map<std::string, Samples> sections;
  for (const auto& [id, sample] : samples) {
    if (!sample.section.empty()) sections[sample.section].emplace(id, sample);
  }
  return sections;
}

std::map<std::string, fs::path> sample_files(const fs::path& folder) {
  VL3_CHECK(fs::is_directory(folder), kNotFound, "{}: no such folder", folder.string());
  std::map<std::string, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("samples_") && name.ends_with(".jsonl"))
      files.emplace(name.substr(8, name.size() - 14), entry.path());
  }
  return files;
}

TaskComparison compare_task(const std::string& task, const Samples& a, const Samples& b) {
  TaskComparison result;
  result.task = task;
  std::map<std::string, std::vector<double>> media;  // differences
  bool binary = true;
  int64_t both = 0;
  for (const auto& [id, sample] : a) {
    const auto other = b.find(id);
    if (other == b.end()) {
      ++result.only_a;
      continue;
    }
    ++both;
    if (sample.asked != other->second.asked) {
      ++result.changed;
      continue;
    }
    result.failed_a += sample.failed ? 1 : 0;
    result.failed_b += other->second.failed ? 1 : 0;
    const double difference = other->second.score - sample.score;
    for (const double score : {sample.score, other->second.score})
      binary = binary && (score == 0 || score == 1);
    ++result.pairs;
    result.mean_a += sample.score;
    result.mean_b += other->second.score;
    result.a_better += difference < 0 ? 1 : 0;
    result.b_better += difference > 0 ? 1 : 0;
    media[sample.medium].push_back(difference);
  }
  result.only_b = static_cast<int64_t>(b.size()) - both;
  if (result.pairs == 0) return result;
  result.mean_a *= 100 / static_cast<double>(result.pairs);
  result.mean_b *= 100 / static_cast<double>(result.pairs);
  std::vector<std::pair<double, double>> units;  // sum and count
  std::vector<double> sums;
  for (const auto& [medium, differences] : media) {
    double sum = 0;
    for (const double difference : differences) sum += difference;
    units.emplace_back(sum, static_cast<double>(differences.size()));
    sums.push_back(sum);
  }
  result.spread = bootstrap(units.size(), [&](const std::vector<size_t>& drawn) -> std::optional<double> {
    double sum = 0, count = 0;
    for (const size_t unit : drawn) {
      sum += units[unit].first;
      count += units[unit].second;
    }
    return 100 * sum / count;
  });
  result.p_media = sign_test(sums);
  if (binary) result.p_exact = mcnemar(result.a_better, result.b_better);
  return result;
}

}  // namespace

Comparison compare_runs(const fs::path& a, const fs::path& b) {
  const auto files_a = sample_files(a), files_b = sample_files(b);
  std::vector<TaskComparison> tasks;
  std::vector<std::pair<std::string, std::string>> left_out;
  for (const auto& [task, path] : files_a) {
    const auto other = files_b.find(task);
    if (other == files_b.end()) {
      left_out.emplace_back(task, "A");
      continue;
    }
    const Samples samples_a = read_samples(path), samples_b = read_samples(other->second);
    tasks.push_back(compare_task(task, samples_a, samples_b));
    auto sections_b = sections_of(samples_b);
    for (const auto& [section, samples] : sections_of(samples_a))
      tasks.push_back(compare_task(task + " " + section, samples, sections_b[section]));
  }
  for (const auto& [task, path] : files_b) {
    if (!files_a.contains(task)) left_out.emplace_back(task, "B");
  }
  VL3_CHECK(!tasks.empty(), kNotFound, "{} and {} have samples of no task in common", a.string(), b.string());
  return {std::move(tasks), std::move(left_out)};
}

std::string comparison_table(const Comparison& comparison) {
  std::string table =
      fmt::format("{:<22}{:>7}{:>9}{:>9}{:>9}{:>18}{:>10}{:>10}{:>9}{:>9}\n", "task", "pairs", "A %", "B %",
                  "B - A", "95 % interval", "A better", "B better", "p", "McNemar");
  for (const TaskComparison& task : comparison.tasks) {
    table += fmt::format(
        "{:<22}{:>7}{:>9.2f}{:>9.2f}{:>+9.2f}{:>18}{:>10}{:>10}{:>9.4f}{:>9}\n", task.task, task.pairs,
        task.mean_a, task.mean_b, task.mean_b - task.mean_a,
        task.spread ? fmt::format("{:+.2f} to {:+.2f}", task.spread->low, task.spread->high) : "-",
        task.a_better, task.b_better, task.p_media,
        task.p_exact ? fmt::format("{:.4f}", *task.p_exact) : "-");
    if (task.only_a + task.only_b + task.changed > 0)
      table += fmt::format("  left out: {} questions only in A, {} only in B, {} that differ\n", task.only_a,
                           task.only_b, task.changed);
    if (task.failed_a + task.failed_b > 0)
      table += fmt::format("  without a usable answer: {} in A, {} in B\n", task.failed_a, task.failed_b);
  }
  for (const auto& [task, run] : comparison.left_out)
    table += fmt::format("left out: {}, which is only in {}\n", task, run);
  return table;
}

OrderedJson to_json(const Comparison& comparison) {
  OrderedJson json = OrderedJson::object();
  for (const TaskComparison& task : comparison.tasks) {
    OrderedJson& row = json[task.task];
    row = {
        {"pairs", task.pairs},       {"only_a", task.only_a},     {"only_b", task.only_b},
        {"changed", task.changed},   {"failed_a", task.failed_a}, {"failed_b", task.failed_b},
        {"mean_a", task.mean_a},     {"mean_b", task.mean_b},     {"difference", task.mean_b - task.mean_a},
        {"a_better", task.a_better}, {"b_better", task.b_better}, {"p_media", task.p_media}};
    if (task.spread) {
      row["low"] = task.spread->low;
      row["high"] = task.spread->high;
    }
    if (task.p_exact) row["p_mcnemar"] = *task.p_exact;
  }
  return json;
}

}  // namespace vl3::eval
