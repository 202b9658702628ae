#include <fmt/format.h>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/text/python_text.h"

namespace vl3::eval {

const std::vector<Benchmark>& paper_benchmarks() {
  static const std::vector<Benchmark> kAll = {videomme(),
                                              mmvu(),
                                              mvbench(),
                                              egoschema(),
                                              perception_test(),
                                              activitynet_qa(),
                                              mlvu(),
                                              longvideobench(),
                                              lvbench(),
                                              tempcompass(),
                                              nextqa(),
                                              charades_sta(),
                                              ai2d(),
                                              chartqa(),
                                              docvqa(),
                                              mathvista(),
                                              mmmu(),
                                              ocrbench(),
                                              gqa(),
                                              mmmu_pro(),
                                              realworldqa(),
                                              blink(),
                                              mme(),
                                              infovqa(),
                                              mathverse(),
                                              mathvision()};
  return kAll;
}

const Benchmark& find_benchmark(const std::vector<Benchmark>& known, const std::string& name) {
  std::string names;
  for (const Benchmark& benchmark : known) {
    if (lower(benchmark.name) == lower(name)) return benchmark;
    names += (names.empty() ? "" : ", ") + benchmark.name;
  }
  VL3_FAIL(kInvalidArgument, "unknown task \"{}\"; known: {}", name, names);
}

std::optional<double> metric_at(const Metrics& metrics, const std::vector<std::string>& path) {
  const Metrics* at = &metrics;
  for (const std::string& key : path) {
    if (!at->is_object() || !at->contains(key)) return std::nullopt;
    at = &(*at)[key];
  }
  return at->is_number() && !path.empty() ? std::optional(at->get<double>()) : std::nullopt;
}

std::string Judge::ask(const JudgeRequest& request) {
  const std::string reply = reply_to(request);
  if (request.usable && !request.usable(reply))
    throw NotJudged(ErrorCode::kCorrupt, "the judge's reply cannot be used: " + reply.substr(0, 200));
  return reply;
}

Verdict no_answer(std::string why) {
  Verdict verdict;
  verdict.failure = std::move(why);
  return verdict;
}

Verdict unjudged(const std::string& response) {
  Verdict verdict;
  verdict.prediction = response;
  verdict.judge_missing = true;
  return verdict;
}

std::optional<std::string> outer_braces(const std::string& reply) {
  const size_t first = reply.find('{'), last = reply.rfind('}');
  if (first == std::string::npos || last == std::string::npos || last < first) return std::nullopt;
  return reply.substr(first, last - first + 1);
}

std::vector<Piece> media_then(size_t media, std::string text) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < media; ++i) pieces.push_back({"", static_cast<int>(i)});
  pieces.push_back({std::move(text), -1});
  return pieces;
}

Medium image_file(std::filesystem::path path) {
  Medium medium;
  medium.path = std::move(path);
  return medium;
}

Medium video_file(std::filesystem::path path) {
  Medium medium = image_file(std::move(path));
  medium.video = true;
  return medium;
}

}  // namespace vl3::eval
