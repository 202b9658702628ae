// What a benchmark is to the runner: how its files are read, an answer is scored, scores become metrics.
// One value a benchmark, all in the table of benchmarks/registry.cpp. Functions are pure and thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "eval/data/item.h"
#include "vl3/error.h"

namespace vl3::eval {

/// One question to a language model that judges answers.
struct JudgeRequest {
  std::string system = {}, user = {};
  double temperature = 0;
  std::optional<double> top_p = std::nullopt;
  int max_tokens = 1024;
  /// Whether a reply says what was asked for; others are not kept. Null: every reply does.
  std::function<bool(const std::string& reply)> usable = nullptr;
};

/// The judge gave this request no usable reply: what it would have decided is missing.
class NotJudged : public Error {
 public:
  using Error::Error;
};

class Judge {
 public:
  virtual ~Judge() = default;
  /// A usable reply. @throws NotJudged; FatalError when the judge cannot be reached at all. Any thread.
  std::string ask(const JudgeRequest& request);
  /// Requests that may be asked at once, each by its own thread.
  virtual int at_once() const { return 1; }

 private:
  /// What ask() then looks at; may keep usable replies. @throws as ask().
  virtual std::string reply_to(const JudgeRequest& request) = 0;
};

struct Scoring {
  Defects defects = Defects::kFixed;
  Judge* judge = nullptr;  ///< null: what a judge would decide is not right, and marked
};

/// What became of one answer.
struct Verdict {
  Json prediction;             ///< what the parser made of it; null where it could make nothing
  std::string failure;         ///< why there is no prediction; "" where there is one
  double score = 0;            ///< 0 or 1; a share (ANLS, IoU) where the benchmark has one
  bool judge_missing = false;  ///< a judge might have decided otherwise, but there is none, or no word of it
  Json judged;                 ///< the judge's finding, for the samples; null without
};

/// A question with its verdict, for the metrics.
struct Scored {
  const Item* item = nullptr;
  const Verdict* verdict = nullptr;
  size_t cluster = 0;  ///< questions of one medium share it
};

using Metrics = OrderedJson;  ///< name → number, or → another such object

/// A row of the paper's tables.
struct PaperRow {
  std::string name;                 ///< as the paper writes it
  std::vector<std::string> metric;  ///< path into the metrics
  double vl3_2b = 0, vl3_7b = 0;    ///< the paper's own models
  std::string best_2b, best_7b;     ///< the best other model of its table; "" where it gives none
};

struct Benchmark {
  std::string name;
  Modality modality = Modality::kImage;
  std::function<Dataset(const std::filesystem::path& root, Defects defects)> load;
  std::function<Verdict(const Item& item, const std::string& response, const Scoring& scoring)> score;
  /// Empty: the truth is not public, there is only a submission.
  std::function<Metrics(const std::vector<Scored>&)> metrics;
  std::vector<std::string> headline;  ///< path of the number that stands for the benchmark; empty without
  std::string submission_file;        ///< "" where there is none
  std::function<OrderedJson(const std::vector<Scored>&)> submission = nullptr;
  bool wholly_judged = false;  ///< only the judge decides: questions without its word are left out
  std::vector<PaperRow> paper = {};
};

/// The 26 of the official registry, in its order.
const std::vector<Benchmark>& paper_benchmarks();

/// By name, letter case aside. @throws Error(kInvalidArgument) listing the names.
const Benchmark& find_benchmark(const std::vector<Benchmark>& known, const std::string& name);

/// The number at `path`; nullopt where there is none.
std::optional<double> metric_at(const Metrics& metrics, const std::vector<std::string>& path);

/// A verdict on an answer that the parser can make nothing of.
Verdict no_answer(std::string why);

}  // namespace vl3::eval
