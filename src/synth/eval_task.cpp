#include "synth/eval_task.h"

#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "synth/benchmark.h"

namespace vl3::synth {
namespace {

eval::Dataset load(const std::filesystem::path& root, const std::vector<BenchmarkItem>& read) {
  std::vector<eval::Item> items;
  for (const BenchmarkItem& one : read) {
    eval::Item item;
    item.id = one.id;
    item.task_types = {one.kind};
    for (const std::string& file : one.media) {
      const std::filesystem::path path = eval::below(root, file, one.id);
      item.media.push_back(one.media_type == MediaType::kVideo ? eval::video_file(path)
                                                               : eval::image_file(path));
    }
    item.question = one.question;
    item.options = one.options;
    item.ground_truth = one.answer;
    item.meta = {{"row", items.size()}};
    item.prompt = eval::media_then(item.media.size(), one.question);
    items.push_back(std::move(item));
  }
  return eval::make_dataset(std::move(items));
}

}  // namespace

eval::Benchmark eval_task() {
  // What is_right() needs of an item stays beside the items, by their place.
  const auto rows = std::make_shared<std::vector<BenchmarkItem>>();
  eval::Benchmark benchmark;
  benchmark.name = "synth";
  benchmark.load = [rows](const std::filesystem::path& root, eval::Defects) {
    *rows = read_benchmark(root);
    return load(root, *rows);
  };
  benchmark.score = [rows](const eval::Item& item, const std::string& response, const eval::Scoring&) {
    eval::Verdict verdict;
    verdict.prediction = response;
    verdict.score = is_right(rows->at(item.meta["row"].get<size_t>()), response) ? 1 : 0;
    return verdict;
  };
  benchmark.metrics = eval::by_task;
  benchmark.headline = {"Overall"};
  return benchmark;
}

}  // namespace vl3::synth
