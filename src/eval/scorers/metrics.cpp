#include "eval/scorers/metrics.h"

#include <fmt/format.h>

namespace vl3::eval {
namespace {

struct Sum {
  double total = 0, count = 0;
  void add(double score) {
    total += score;
    count += 1;
  }
  double percent() const { return 100 * total / count; }
};

/// Sums under names, in order of appearance.
class Sums {
 public:
  Sum& operator[](const std::string& name) {
    for (auto& [known, sum] : sums_) {
      if (known == name) return sum;
    }
    return sums_.emplace_back(name, Sum{}).second;
  }
  const std::vector<std::pair<std::string, Sum>>& all() const { return sums_; }

 private:
  std::vector<std::pair<std::string, Sum>> sums_;
};

/// A question counts for each task type it has.
struct Tally {
  explicit Tally(const std::vector<Scored>& scored) {
    for (const Scored& one : scored) {
      for (const std::string& task : one.item->task_types) tasks[task].add(one.verdict->score);
      overall.add(one.verdict->score);
    }
  }
  Sums tasks;
  Sum overall;
};

}  // namespace

Metrics by_task(const std::vector<Scored>& scored) {
  const auto [tasks, overall] = Tally(scored);
  Metrics metrics = Metrics::object();
  for (const auto& [task, sum] : tasks.all()) metrics[task] = sum.percent();
  if (overall.count > 0) metrics["Overall"] = overall.percent();
  return metrics;
}

Metrics by_section(const std::vector<Scored>& scored) {
  std::vector<std::pair<std::string, std::vector<Scored>>> sections;
  for (const Scored& one : scored) {
    size_t at = 0;
    while (at < sections.size() && sections[at].first != one.item->section) ++at;
    if (at == sections.size()) sections.emplace_back(one.item->section, std::vector<Scored>{});
    sections[at].second.push_back(one);
  }
  Metrics metrics = Metrics::object();
  for (const auto& [name, part] : sections) metrics[name] = by_task(part);
  return metrics;
}

Metrics single(const std::vector<Scored>& scored, const std::string& key) {
  Sum sum;
  for (const Scored& one : scored) sum.add(one.verdict->score);
  Metrics metrics = Metrics::object();
  if (sum.count > 0) metrics[key] = sum.percent();
  return metrics;
}

Metrics counts(const std::vector<Scored>& scored) {
  const auto [tasks, overall] = Tally(scored);
  Metrics metrics = Metrics::object();
  for (const auto& [task, sum] : tasks.all()) metrics[task] = sum.total;
  metrics["Overall"] = overall.total;
  return metrics;
}

Metrics grounding(const std::vector<Scored>& scored) {
  Metrics metrics = Metrics::object();
  Sum mean;
  for (const Scored& one : scored) mean.add(one.verdict->score);
  if (mean.count == 0) return metrics;
  metrics["mIoU"] = mean.percent();
  for (const double threshold : {0.3, 0.5, 0.7}) {
    Sum over;
    for (const Scored& one : scored) over.add(one.verdict->score >= threshold ? 1 : 0);
    metrics[fmt::format("R1@{}", threshold)] = over.percent();
  }
  return metrics;
}

}  // namespace vl3::eval
