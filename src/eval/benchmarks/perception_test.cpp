#include <algorithm>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "mc_question_test.json";
  const OrderedJson videos = read_ordered_json(file);
  VL3_CHECK(videos.is_object(), kCorrupt, "{}: expected an object of videos", file.string());
  std::vector<Item> items;
  for (const auto& [key, value] : videos.items()) {
    const Json video = value;
    const JsonView view(video, fmt::format("{}: \"{}\"", file.string(), key));
    const std::string name = view.object("metadata").string("video_id");
    const fs::path path = find_video(root / "videos", name, view.where());
    VL3_CHECK(view.at("mc_question").is_array(), kCorrupt, "{}: \"mc_question\" must be a list",
              view.where());
    for (size_t q = 0; q < view.at("mc_question").size(); ++q) {
      const Row row(view.at("mc_question")[q], file, q);
      Item item;
      item.id = fmt::format("{}_{}", name, row.integer("id"));
      item.media = {video_file(path)};
      item.question = row.text("question");
      item.options = row.texts("options");
      item.meta = {{"video_id", name}, {"question_id", row.integer("id")}};
      item.prompt = media_then(1, lettered_question(item.question, item.options) + kBestOption);
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  const std::string body = without_answer_word(response);
  if (const auto found = first_letter(body, 3)) return exact(*found, item);
  // DIFFERS: an undefined name ends the official run here; meant is an answer that is an option's text.
  const auto option = std::find_if(item.options.begin(), item.options.end(),
                                   [&](const std::string& o) { return lower(o) == lower(body); });
  if (scoring.defects == Defects::kOfficial || option == item.options.end())
    return no_answer("no letter A to C, and not an option's text");
  return exact(option - item.options.begin(), item);
}

/// The file for EvalAI: {video_id: [{id, answer_id, answer}]}.
OrderedJson submission(const std::vector<Scored>& scored) {
  OrderedJson videos = OrderedJson::object();
  for (const Scored& one : scored) {
    const Json& answer = one.verdict->prediction;
    if (answer.is_null() || answer.get<size_t>() >= one.item->options.size()) continue;
    videos[one.item->meta["video_id"].get<std::string>()].push_back(
        {{"id", one.item->meta["question_id"]},
         {"answer_id", answer},
         {"answer", one.item->options[answer.get<size_t>()]}});
  }
  return videos;
}

}  // namespace

Benchmark perception_test() {
  Benchmark benchmark;
  benchmark.name = "perception_test";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.submission_file = "perception_test_submission.json";
  benchmark.submission = submission;
  benchmark.paper = {{"PerceptionTest test", {}, 68.0, 72.8, "66.3 InternVL2.5", "68.9 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
