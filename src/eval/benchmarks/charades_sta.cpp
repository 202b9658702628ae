#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"
#include "text/white_space.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;
using Interval = std::pair<double, double>;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "charades_annotations_test-random_prompt.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = row.text_of("question_id");
    item.media = {video_file(below(root / "Charades_v1", row.text("video"), row.where()))};
    const Json& talk = row.at("conversation");
    VL3_CHECK(talk.is_array() && !talk.empty(), kCorrupt, "{}: \"conversation\" must be a list of turns",
              row.where());
    item.question = Row(talk[0], file, i).text("content");
    const Json& times = row.at("timestamps");
    const bool good = times.is_array() && !times.empty() && times[0].is_array() && times[0].size() == 2 &&
                      times[0][0].is_number() && times[0][1].is_number();
    VL3_CHECK(good, kCorrupt, "{}: \"timestamps\" must be [[start, end]]", row.where());
    item.ground_truth = times[0];
    item.prompt = media_then(1, item.question + "Please output the start and end timestamps in seconds.");
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

/// Length of the number at `at`: digits with an optional fraction, or a fraction alone; 0 for none.
size_t number_length(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  size_t fraction = end;
  if (fraction < text.size() && text[fraction] == '.') {
    ++fraction;
    while (fraction < text.size() && is_digit(text[fraction])) ++fraction;
  }
  if (end > at) return fraction - at;            // "3", "3.", "3.5"
  return fraction > at + 1 ? fraction - at : 0;  // ".5"
}

double number_at(std::string_view text, size_t at, size_t size) {
  return to_float(text.substr(at, size)).value_or(0);
}

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size() && vl3::text::is_space(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

/// Every "number - number" and "number to number"; where there is none, all numbers paired in order, an odd
/// first one left out. Signs are not part of numbers.
std::vector<Interval> parse_intervals(const std::string& text) {
  std::vector<Interval> pairs;
  std::vector<double> numbers;
  for (size_t at = 0; at < text.size();) {
    const size_t size = number_length(text, at);
    if (size == 0) {
      ++at;
      continue;
    }
    const double first = number_at(text, at, size);
    size_t next = skip_spaces(text, at + size);
    const size_t joint = text.compare(next, 1, "-") == 0 ? 1 : text.compare(next, 2, "to") == 0 ? 2 : 0;
    if (joint > 0) {
      next = skip_spaces(text, next + joint);
      if (const size_t second = number_length(text, next); second > 0) {
        pairs.emplace_back(first, number_at(text, next, second));
        at = next + second;
        continue;
      }
    }
    at += size;
  }
  if (!pairs.empty()) return pairs;
  for (size_t at = 0; at < text.size();) {
    const size_t size = number_length(text, at);
    if (size > 0) numbers.push_back(number_at(text, at, size));
    at += std::max<size_t>(size, 1);
  }
  for (size_t i = numbers.size() % 2; i + 1 < numbers.size(); i += 2)
    pairs.emplace_back(numbers[i], numbers[i + 1]);
  return pairs;
}

/// As the reference has it: overlapping predictions count twice, so the value can pass 1.
double iou(Interval truth, const std::vector<Interval>& predicted) {
  double overlap = 0, length = truth.second - truth.first;
  for (const auto& [a, b] : predicted) {
    const double low = std::min(a, b), high = std::max(a, b);
    overlap += std::max(0.0, std::min(truth.second, high) - std::max(truth.first, low));
    length += high - low;
  }
  const double both = length - overlap;
  // DIFFERS: a true interval of no length divides by zero there.
  return both > 0 ? overlap / both : 0;
}

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  const std::vector<Interval> intervals = parse_intervals(response);
  Verdict verdict;
  verdict.prediction = Json::array();
  for (const auto& [start, end] : intervals) verdict.prediction.push_back({start, end});
  verdict.score = iou({item.ground_truth[0].get<double>(), item.ground_truth[1].get<double>()}, intervals);
  return verdict;
}

}  // namespace

Benchmark charades_sta() {
  Benchmark benchmark;
  benchmark.name = "charades_sta";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = grounding;
  benchmark.headline = {"mIoU"};
  benchmark.paper = {{"Charades-STA mIoU", {"mIoU"}, 55.5, 60.7, "", ""}};
  return benchmark;
}

}  // namespace vl3::eval
