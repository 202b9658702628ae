#include <algorithm>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/data/parquet.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIntroduction =
    "Select the best answer to the following multiple-choice question based on the video. Respond with only "
    "the letter (A, B, C, or D) of the correct option.\n";
constexpr const char* kDigits[] = {"zero", "one", "two",   "three", "four",
                                   "five", "six", "seven", "eight", "nine"};

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "test-00000-of-00001.parquet";
  const std::vector<Json> rows = ParquetFile(file).rows();
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    const std::string video = row.text("videoID");
    // DIFFERS: where the file is missing, the official loader silently takes the video before it.
    item.media = {video_file(find_video(root / "videos", video, row.where()))};
    item.task_types = {row.text("task_type")};
    item.question = row.text("question");
    item.options = row.texts("options");
    item.ground_truth = row.text("answer");
    std::string text = kIntroduction + item.question + "\n";
    for (const std::string& option : item.options) text += option + "\n";
    item.prompt = media_then(1, text + kBestOption + " The best answer is:");
    item.id = 2 * i;
    item.section = "without_subtitle";
    items.push_back(item);
    item.id = 2 * i + 1;
    item.section = "with_subtitle";
    item.subtitles.kind = SubtitleSource::kListed;
    item.subtitles.file = below(root / "subtitles", video + ".srt", row.where());
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

/// What stands behind "X. " up to a line break; "" without.
std::string option_text(const std::string& option) {
  const size_t dot = option.find(". ");
  return dot == std::string::npos ? "" : option.substr(dot + 2, option.find('\n', dot) - dot - 2);
}

/// As in the reference, an option is looked for without its last character, which is meant for a final dot:
/// "A. Red" as "Re", and "A. 7" as "", which every answer contains.
std::string searched_text(const std::string& option) {
  std::u32string points = code_points(option_text(option));
  if (!points.empty()) points.pop_back();
  return to_utf8(points);
}

bool says(const std::string& low, const std::string& option) {
  if (contains(low, lower(option))) return true;
  const bool digit = option.size() == 1 && option[0] >= '0' && option[0] <= '9';
  return digit && contains(low, kDigits[option[0] - '0']);
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  const std::string body = without_answer_word(response);
  const auto empty = [](const std::string& option) { return option_text(option).empty(); };
  // DIFFERS: an option without a text ends the official run, whatever the answer.
  if (scoring.defects == Defects::kOfficial && std::any_of(item.options.begin(), item.options.end(), empty))
    return no_answer("the official parser fails on an empty option");
  if (const auto found = first_letter(body, 4)) return exact(letter(*found), item);
  const std::string low = lower(body);
  for (size_t i = 0; i < item.options.size(); ++i) {
    if (!empty(item.options[i]) && says(low, searched_text(item.options[i]))) return exact(letter(i), item);
  }
  return no_answer("no letter A to D and no option's text");
}

}  // namespace

Benchmark videomme() {
  Benchmark benchmark;
  benchmark.name = "videomme";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_section;
  benchmark.headline = {"without_subtitle", "Overall"};
  benchmark.paper = {
      {"VideoMME w/o sub",
       {"without_subtitle", "Overall"},
       59.6,
       66.2,
       "55.6 Qwen2-VL",
       "64.2 InternVL2.5/NVILA"},
      {"VideoMME w/ sub", {"with_subtitle", "Overall"}, 63.4, 70.3, "60.4 Qwen2-VL", "70.0 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
