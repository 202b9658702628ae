#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "questions.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = row.text("q_uid");
    item.media = {video_file(find_video(root / "good_clips_git", row.text("q_uid"), row.where()))};
    item.question = row.text("question");
    std::string text =
        "Select the best answer to the following multiple-choice question based on the video.\n" +
        item.question + "\nOptions:\n";
    for (size_t o = 0; o < 5; ++o) {
      item.options.push_back(row.text_of(fmt::format("option {}", o).c_str()));
      text += fmt::format("({}) {}\n", letter(o), item.options.back());
    }
    item.prompt = media_then(1, text + kBestOption + " The best answer is: ");
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  const std::string body = without_answer_word(response);
  if (const auto found = first_letter(body, 5)) {
    // DIFFERS: "( B )" ends the official run.
    if (scoring.defects == Defects::kOfficial && letter_fails(body, 5, LetterContext::kBrackets))
      return no_answer("the official parser fails on the letter's surroundings");
    return exact(*found, item);
  }
  const auto option = option_in(body, item.options);
  return option ? exact(*option, item) : no_answer("no letter A to E and no option's text");
}

/// The body that the public validation server takes: {q_uid: index}.
OrderedJson submission(const std::vector<Scored>& scored) {
  OrderedJson answers = OrderedJson::object();
  for (const Scored& one : scored) {
    if (!one.verdict->prediction.is_null()) answers[id_text(one.item->id)] = one.verdict->prediction;
  }
  return answers;
}

}  // namespace

Benchmark egoschema() {
  Benchmark benchmark;
  benchmark.name = "egoschema";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.submission_file = "egoschema_submission.json";
  benchmark.submission = submission;
  benchmark.paper = {{"EgoSchema test", {}, 58.5, 63.3, "58.1 InternVL2.5", "66.7 Qwen2-VL"}};
  return benchmark;
}

}  // namespace vl3::eval
