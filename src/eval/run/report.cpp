#include "eval/run/report.h"

#include <fmt/format.h>

#include "core/file.h"
#include "vl3/version.h"

namespace vl3::eval {
namespace {

/// The questions that numbers are made of.
std::vector<Scored> counted(const ScoredTask& scored) {
  std::vector<Scored> rows;
  for (const Scored& one : scored.scored) {
    if (!scored.task->benchmark->wholly_judged || !one.verdict->judge_missing) rows.push_back(one);
  }
  return rows;
}

/// Those of each medium.
std::vector<std::vector<Scored>> units_of(const ScoredTask& scored) {
  std::vector<std::vector<Scored>> units(scored.task->data.groups.size());
  for (const Scored& one : counted(scored)) units[one.cluster].push_back(one);
  std::erase_if(units, [](const std::vector<Scored>& unit) { return unit.empty(); });
  return units;
}

std::optional<Spread> spread_of(const ScoredTask& scored) {
  const Benchmark& benchmark = *scored.task->benchmark;
  const auto units = units_of(scored);
  return bootstrap(units.size(), [&](const std::vector<size_t>& drawn) -> std::optional<double> {
    std::vector<Scored> rows;
    for (size_t i = 0; i < drawn.size(); ++i) {
      for (Scored one : units[drawn[i]]) {
        one.cluster = i;  // a medium that is drawn twice counts as two
        rows.push_back(one);
      }
    }
    return metric_at(benchmark.metrics(rows), benchmark.headline);
  });
}

Metrics official_metrics(const ScoredTask& scored, const Scoring& scoring) {
  std::vector<Verdict> verdicts;
  for (size_t i = 0; i < scored.verdicts.size(); ++i) {
    const bool answered = scored.records[i].error.empty();
    verdicts.push_back(answered
                           ? score_answer(*scored.task->benchmark, *scored.scored[i].item,
                                          scored.records[i].reply.text, {Defects::kOfficial, scoring.judge})
                           : scored.verdicts[i]);
  }
  ScoredTask official = scored;
  for (size_t i = 0; i < verdicts.size(); ++i) official.scored[i].verdict = &verdicts[i];
  return scored.task->benchmark->metrics(counted(official));
}

void flatten(const Metrics& metrics, const std::string& prefix, OrderedJson& out) {
  for (const auto& [key, value] : metrics.items()) {
    if (value.is_object())
      flatten(value, prefix + key + "/", out);
    else
      out[prefix + key + ",none"] = value;
  }
}

std::string joined(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& key : path) text += (text.empty() ? "" : "/") + key;
  return text;
}

OrderedJson lmms_results(const TaskReport& report) {
  const Benchmark& benchmark = *report.scored->task->benchmark;
  OrderedJson results{{"alias", benchmark.name}};
  flatten(report.metrics, "", results);
  if (report.spread) results[joined(benchmark.headline) + "_stderr,none"] = report.spread->deviation;
  return results;
}

OrderedJson failures_of(const ScoredTask& scored) {
  OrderedJson list = OrderedJson::array();
  for (size_t i = 0; i < scored.verdicts.size(); ++i) {
    if (!scored.verdicts[i].failure.empty())
      list.push_back({{"id", scored.scored[i].item->id}, {"why", scored.verdicts[i].failure}});
  }
  return list;
}

OrderedJson task_json(const TaskReport& report) {
  const ScoredTask& scored = *report.scored;
  const Benchmark& benchmark = *scored.task->benchmark;
  OrderedJson json{{"metrics", report.metrics}, {"metrics_as_shipped", report.official}};
  if (report.headline)
    json["headline"] = {{"metric", joined(benchmark.headline)}, {"value", *report.headline}};
  if (report.spread) {
    json["headline"]["low"] = report.spread->low;
    json["headline"]["high"] = report.spread->high;
    json["headline"]["stderr"] = report.spread->deviation;
  }
  json["failed"] = scored.failed;
  json["unparsed"] = scored.unparsed;
  json["judge_missing"] = scored.judge_missing;
  json["cut"] = scored.cut;
  json["failures"] = failures_of(scored);
  for (const PaperRow& row : benchmark.paper) {
    const auto own = metric_at(report.metrics, row.metric);
    json["paper"].push_back({{"name", row.name},
                             {"this", own ? OrderedJson(*own) : OrderedJson()},
                             {"VideoLLaMA3-2B", row.vl3_2b},
                             {"VideoLLaMA3-7B", row.vl3_7b},
                             {"best_other_2B", row.best_2b},
                             {"best_other_7B", row.best_7b}});
  }
  return json;
}

std::string prompt_text(const Item& item) {
  std::string text;
  for (const Piece& piece : item.prompt) {
    const bool video = piece.medium >= 0 && item.media[static_cast<size_t>(piece.medium)].video;
    text += piece.medium < 0 ? piece.text : video ? "<video>" : "<image>";
  }
  return text;
}

std::string samples_of(const ScoredTask& scored) {
  std::string lines;
  for (size_t i = 0; i < scored.verdicts.size(); ++i) {
    const Item& item = *scored.scored[i].item;
    const Verdict& verdict = scored.verdicts[i];
    OrderedJson media = OrderedJson::array();
    for (const Medium& medium : item.media) media.push_back(medium.key());
    OrderedJson line{{"doc_id", i},
                     {"doc",
                      {{"id", item.id},
                       {"question", item.question},
                       {"options", item.options},
                       {"task_type", item.task_types},
                       {"section", item.section},
                       {"media", media}}},
                     {"target", item.ground_truth},
                     {"input", prompt_text(item)},
                     {"resps", {OrderedJson::array({scored.records[i].reply.text})}},
                     {"filtered_resps", OrderedJson::array({verdict.prediction})},
                     {"score", verdict.score},
                     {"cluster", scored.scored[i].cluster},
                     {"judged", verdict.judged},
                     {"judge_missing", verdict.judge_missing},
                     {"failure", verdict.failure},
                     {"finish_reason", scored.records[i].reply.finish_reason},
                     {"seconds", scored.records[i].seconds},
                     {"prompt_tokens", scored.records[i].reply.prompt_tokens},
                     {"completion_tokens", scored.records[i].reply.completion_tokens}};
    lines += line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  }
  return lines;
}

std::string number_text(std::optional<double> value) { return value ? fmt::format("{:.2f}", *value) : "-"; }

std::string interval_text(const TaskReport& report) {
  return report.spread ? fmt::format("{:.1f} to {:.1f}", report.spread->low, report.spread->high) : "-";
}

std::string note_of(const TaskReport& report) {
  const ScoredTask& scored = *report.scored;
  std::string note;
  const auto add = [&](int64_t count, const char* what) {
    if (count > 0) note += fmt::format("{}{} {}", note.empty() ? "" : ", ", count, what);
  };
  add(scored.failed, "failed");
  add(scored.unparsed, "without a usable answer");
  const bool wholly = scored.task->benchmark->wholly_judged;
  add(scored.not_judged, wholly ? "without the judge's word, left out" : "without the judge's word");
  add(scored.judge_missing - scored.not_judged, wholly ? "need a judge: no number" : "need a judge");
  add(scored.cut, "cut at the limit of tokens");
  if (!scored.task->benchmark->submission_file.empty())
    note += (note.empty() ? "" : ", ") + scored.task->benchmark->submission_file;
  return note;
}

/// A row of the table: name, own number, interval, the paper's two and the best other models it names, note.
struct TableRow {
  std::string name, own, interval, paper_2b, paper_7b, best_2b, best_7b, items, note;
};

std::vector<TableRow> rows_of(const std::vector<TaskReport>& tasks) {
  std::vector<TableRow> rows;
  for (const TaskReport& report : tasks) {
    const Benchmark& benchmark = *report.scored->task->benchmark;
    const std::string items = std::to_string(report.scored->verdicts.size());
    if (benchmark.paper.empty())
      rows.push_back({benchmark.name, number_text(report.headline), interval_text(report), "-", "-", "-", "-",
                      items, note_of(report)});
    for (const PaperRow& row : benchmark.paper) {
      const bool head = row.metric == benchmark.headline && report.headline;
      rows.push_back({row.name, number_text(metric_at(report.metrics, row.metric)),
                      head ? interval_text(report) : "-", number_text(row.vl3_2b), number_text(row.vl3_7b),
                      row.best_2b.empty() ? "-" : row.best_2b, row.best_7b.empty() ? "-" : row.best_7b, items,
                      &row == &benchmark.paper.front() ? note_of(report) : ""});
    }
  }
  return rows;
}

void tree(const Metrics& metrics, int depth, std::string& out) {
  for (const auto& [key, value] : metrics.items()) {
    const std::string indent(static_cast<size_t>(depth) * 2, ' ');
    if (value.is_object()) {
      out += fmt::format("{}- {}\n", indent, key);
      tree(value, depth + 1, out);
    } else {
      out += fmt::format("{}- {}: {:.2f}\n", indent, key, value.get<double>());
    }
  }
}

}  // namespace

TaskReport make_report(const ScoredTask& scored, const Scoring& scoring) {
  TaskReport report;
  report.scored = &scored;
  const Benchmark& benchmark = *scored.task->benchmark;
  if (!benchmark.metrics || counted(scored).empty()) return report;
  report.metrics = benchmark.metrics(counted(scored));
  report.official = official_metrics(scored, scoring);
  report.headline = metric_at(report.metrics, benchmark.headline);
  if (report.headline) report.spread = spread_of(scored);
  return report;
}

OrderedJson results_json(const std::vector<TaskReport>& tasks, const RunFacts& facts) {
  OrderedJson json{{"results", OrderedJson::object()},  {"group_subtasks", OrderedJson::object()},
                   {"configs", OrderedJson::object()},  {"versions", OrderedJson::object()},
                   {"n-shot", OrderedJson::object()},   {"higher_is_better", OrderedJson::object()},
                   {"n-samples", OrderedJson::object()}};
  OrderedJson own = OrderedJson::object();
  for (const TaskReport& report : tasks) {
    const Task& task = *report.scored->task;
    const std::string& name = task.benchmark->name;
    json["results"][name] = lmms_results(report);
    json["group_subtasks"][name] = OrderedJson::array();
    json["configs"][name] = {{"task", name},
                             {"dataset_path", task.root.string()},
                             {"output_type", "generate_until"},
                             {"repeats", 1},
                             {"num_fewshot", 0}};
    json["versions"][name] = "vl3 " + std::string(kVersion);
    json["n-shot"][name] = 0;
    json["higher_is_better"][name] = OrderedJson::object();
    if (!task.benchmark->headline.empty())
      json["higher_is_better"][name][joined(task.benchmark->headline)] = true;
    json["n-samples"][name] = {{"original", task.all_items}, {"effective", task.data.items.size()}};
    own[name] = task_json(report);
  }
  json["config"] = facts.settings;
  json["config"]["bootstrap_iters"] = kBootstraps;
  json["date"] = facts.date;
  json["total_evaluation_time_seconds"] = facts.seconds;
  json["vl3"] = own;
  return json;
}

std::string results_table(const std::vector<TaskReport>& tasks) {
  std::string table =
      fmt::format("{:<30}{:>7}{:>15}{:>8}{:>8}  {:<22}{:<22}{:>6}\n", "benchmark", "this", "95 % interval",
                  "VL3-2B", "VL3-7B", "best other 2B", "best other 7B", "items");
  for (const TableRow& row : rows_of(tasks)) {
    table += fmt::format("{:<30}{:>7}{:>15}{:>8}{:>8}  {:<22}{:<22}{:>6}\n", row.name, row.own, row.interval,
                         row.paper_2b, row.paper_7b, row.best_2b, row.best_7b, row.items);
    if (!row.note.empty()) table += fmt::format("  {}\n", row.note);
  }
  return table;
}

std::string results_markdown(const std::vector<TaskReport>& tasks, const RunFacts& facts) {
  std::string text = fmt::format("# Evaluation, {}\n\n", facts.date);
  text +=
      "| benchmark | this | 95 % interval | VL3-2B (paper) | VL3-7B (paper) | best other 2B | best other 7B "
      "| items "
      "| |\n"
      "|---|---|---|---|---|---|---|---|---|\n";
  for (const TableRow& row : rows_of(tasks))
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", row.name, row.own, row.interval,
                        row.paper_2b, row.paper_7b, row.best_2b, row.best_7b, row.items, row.note);
  for (const TaskReport& report : tasks) {
    text += fmt::format("\n## {}\n\n", report.scored->task->benchmark->name);
    if (report.metrics.is_null()) text += "No number here: see the table.\n";
    if (report.metrics.is_object()) tree(report.metrics, 0, text);
    if (report.metrics != report.official && report.official.is_object()) {
      text += "\nScored as the official code was shipped, with its defects:\n\n";
      tree(report.official, 0, text);
    }
    const OrderedJson failures = failures_of(*report.scored);
    if (!failures.empty()) text += fmt::format("\n{} counted as wrong:\n\n", failures.size());
    for (const OrderedJson& failure : failures)
      text += fmt::format("- {}: {}\n", failure["id"].dump(), failure["why"].get<std::string>());
  }
  return text + "\nSettings: `" + facts.settings.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) +
         "`\n";
}

void write_results(const std::vector<TaskReport>& tasks, const RunFacts& facts,
                   const std::filesystem::path& folder) {
  for (const TaskReport& report : tasks) {
    const Benchmark& benchmark = *report.scored->task->benchmark;
    write_file_atomically(folder / ("samples_" + benchmark.name + ".jsonl"), samples_of(*report.scored));
    if (benchmark.submission)
      write_file_atomically(folder / benchmark.submission_file,
                            benchmark.submission(report.scored->scored)
                                    .dump(-1, ' ', false, OrderedJson::error_handler_t::replace) +
                                "\n");
  }
  write_file_atomically(folder / "results.md", results_markdown(tasks, facts));
  write_file_atomically(
      folder / "results.json",
      results_json(tasks, facts).dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

}  // namespace vl3::eval
