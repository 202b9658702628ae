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
  const fs::path file = root / "video_info.meta.jsonl";
  const std::vector<Json> videos = read_json_lines(file);
  std::vector<Item> items;
  for (size_t v = 0; v < videos.size(); ++v) {
    const Row row(videos[v], file, v);
    const fs::path video = find_video(root / "video", row.text("key"), row.where());
    VL3_CHECK(row.at("qa").is_array(), kCorrupt, "{}: \"qa\" must be a list", row.where());
    for (size_t q = 0; q < row.at("qa").size(); ++q) {
      const Row qa(row.at("qa")[q], file, v);
      Item item;
      item.id = qa.text_of("uid");
      item.media = {video_file(video)};
      item.task_types = qa.texts("question_type");
      item.question = qa.text("question");
      item.ground_truth = qa.text("answer");
      item.prompt =
          media_then(1, item.question + "\nAnswer with the option's letter from the given choices directly.");
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

/// The first A to D that is a word of its own once everything is upper case; so the article "a" counts.
Verdict score(const Item& item, const std::string& response, const Scoring&) {
  const std::u32string text = code_points(upper(response));
  for (size_t i = 0; i < text.size(); ++i) {
    const bool alone = (i == 0 || !is_word(text[i - 1])) && (i + 1 == text.size() || !is_word(text[i + 1]));
    if (text[i] >= U'A' && text[i] <= U'D' && alone) return exact(letter(text[i] - U'A'), item);
  }
  return no_answer("no A, B, C or D that stands alone");
}

}  // namespace

Benchmark lvbench() {
  Benchmark benchmark;
  benchmark.name = "lvbench";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"LVBench", {"Overall"}, 41.6, 45.3, "39.4 Qwen2-VL", "44.7 Qwen2-VL"}};
  return benchmark;
}

}  // namespace vl3::eval
