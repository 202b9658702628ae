#include "eval/benchmarks/synth.h"

#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "synth/benchmark.h"

namespace vl3::eval {
namespace {

Dataset load(const std::filesystem::path& root, const std::vector<synth::BenchmarkItem>& read) {
  std::vector<Item> items;
  for (const synth::BenchmarkItem& one : read) {
    Item item;
    item.id = one.id;
    item.task_types = {one.kind};
    for (const std::string& file : one.media) {
      const std::filesystem::path path = below(root, file, one.id);
      item.media.push_back(one.media_type == synth::MediaType::kVideo ? video_file(path) : image_file(path));
    }
    item.question = one.question;
    item.options = one.options;
    item.ground_truth = one.answer;
    item.meta = {{"row", items.size()}};
    item.prompt = media_then(item.media.size(), one.question);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

}  // namespace

Benchmark synth_benchmark() {
  // What synth::is_right() needs of an item stays beside the items, by their place.
  const auto rows = std::make_shared<std::vector<synth::BenchmarkItem>>();
  Benchmark benchmark;
  benchmark.name = "synth";
  benchmark.load = [rows](const std::filesystem::path& root, Defects) {
    *rows = synth::read_benchmark(root);
    return load(root, *rows);
  };
  benchmark.score = [rows](const Item& item, const std::string& response, const Scoring&) {
    Verdict verdict;
    verdict.prediction = response;
    verdict.score = synth::is_right(rows->at(item.meta["row"].get<size_t>()), response) ? 1 : 0;
    return verdict;
  };
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  return benchmark;
}

}  // namespace vl3::eval
