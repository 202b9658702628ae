#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "lvb_val.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = i;
    item.media = {video_file(below(root / "videos", row.text("video_path"), row.where()))};
    item.subtitles.kind = SubtitleSource::kInterleaved;
    item.subtitles.file = below(root / "subtitles", row.text("subtitle_path"), row.where());
    item.subtitles.offset_s = row.number("starting_timestamp_for_subtitles");
    item.subtitles.duration_s = row.number("duration");
    item.task_types = {row.text("question_category")};
    item.section = row.text("level");
    item.question = row.text("question");
    item.options = row.texts("candidates");
    const int64_t right = row.integer("correct_choice");
    VL3_CHECK(right >= 0 && right < static_cast<int64_t>(item.options.size()) && item.options.size() <= 26,
              kCorrupt, "{}: correct_choice {} of {} candidates", row.where(), right, item.options.size());
    item.ground_truth = letter(static_cast<size_t>(right));
    std::string text = "Question: " + item.question + "\n";
    for (size_t o = 0; o < item.options.size(); ++o)
      text += fmt::format("{}. {}\n", letter(o), item.options[o]);
    item.prompt = media_then(1, text + "Answer with the option's letter from the given choices directly.");
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  const std::string body = without_answer_word(response);
  if (const auto found = first_letter(body, item.options.size())) return exact(letter(*found), item);
  const auto option = option_in(body, item.options);
  return option ? exact(letter(*option), item) : no_answer("no option letter and no option's text");
}

Metrics metrics(const std::vector<Scored>& scored) {
  Metrics all = Metrics::object();
  all["Overall"] = by_task(scored);
  all.update(by_section(scored));
  return all;
}

}  // namespace

Benchmark longvideobench() {
  Benchmark benchmark;
  benchmark.name = "longvideobench";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"Overall", "Overall"};
  benchmark.paper = {
      {"LongVideoBench val", {"Overall", "Overall"}, 57.1, 59.8, "52.0 InternVL2.5", "60.0 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
