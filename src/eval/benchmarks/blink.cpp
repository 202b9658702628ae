#include <array>
#include <set>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/data/pictures.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 14> kTasks = {"Art_Style",
                                                "Functional_Correspondence",
                                                "Multi-view_Reasoning",
                                                "Relative_Reflectance",
                                                "Visual_Correspondence",
                                                "Counting",
                                                "IQ_Test",
                                                "Object_Localization",
                                                "Semantic_Correspondence",
                                                "Visual_Similarity",
                                                "Forensic_Detection",
                                                "Jigsaw",
                                                "Relative_Depth",
                                                "Spatial_Relation"};
const std::set<std::string> kLetters = {"(A)", "(B)", "(C)", "(D)", "(E)"};

Item make_item(const Row& row, const std::shared_ptr<const ParquetFile>& file, size_t number,
               const char* task) {
  Item item;
  item.id = row.text("idx");
  item.task_types = {task};
  for (const char* column : {"image_1", "image_2", "image_3", "image_4"}) {
    if (row.has(column)) item.media.push_back(picture_in(file, number, column));
  }
  item.question = row.text("prompt");
  item.options = row.texts("choices");
  item.ground_truth = row.text("answer");
  item.prompt =
      media_then(item.media.size(),
                 item.question + "\nAnswer with the option's letter from the given choices directly.");
  return item;
}

Dataset load(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const char* task : kTasks) {
    for (const fs::path& path : find_parts(root / task, "test-", ".parquet")) {
      const auto file = std::make_shared<const ParquetFile>(path);
      const std::vector<Json> rows = file->rows();
      for (size_t i = 0; i < rows.size(); ++i)
        items.push_back(make_item(Row(rows[i], path, i), file, i, task));
    }
  }
  return make_dataset(std::move(items));
}

/// The one bracketed letter among the words; "" for none or several.
std::string only_letter(const std::string& text) {
  std::set<std::string> found;
  for (const std::string& word : split_words(text)) {
    if (kLetters.contains(word)) found.insert(word);
  }
  return found.size() == 1 ? *found.begin() : "";
}

std::string judge_question(const Item& item, const std::string& response) {
  std::string text = "Question: " + item.question + "\nOptions:";
  for (size_t i = 0; i < item.options.size(); ++i)
    text += fmt::format("\n({}) {}", letter(i), item.options[i]);
  return text + "\nResponse: " + response +
         "\nWhich option does the response choose? Reply with its letter in brackets, as (A), or with (Z) "
         "where it "
         "chooses none.";
}

/// The first option of a judge's reply, "(Z)" for none of them; "" for any other reply.
std::string chosen_letter(const std::string& reply) {
  for (const std::string& option : kLetters) {
    if (contains(reply, option)) return option;
  }
  return contains(reply, "(Z)") ? "(Z)" : "";
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  if (response.size() == 1 && response[0] >= 'A' && response[0] <= 'E')
    return exact("(" + response + ")", item);
  if (kLetters.contains(response)) return exact(response, item);
  std::string found = only_letter(split(response, "\n\n").back());
  if (found.empty()) found = only_letter(response);
  if (!found.empty()) return exact(found, item);
  if (scoring.judge == nullptr) return unjudged("");
  const std::string reply = scoring.judge->ask(
      {.system = "You match a response to one of the options of a multiple-choice question.",
       .user = judge_question(item, response),
       .max_tokens = 16,
       .usable = [](const std::string& text) { return !chosen_letter(text).empty(); }});
  const std::string option = chosen_letter(reply);
  Verdict verdict;
  verdict.prediction = "";
  if (kLetters.contains(option)) verdict = exact(option, item);
  verdict.judged = kLetters.contains(option) ? option : "";
  return verdict;
}

/// Nothing where the truth is hidden, as in the real test split.
Metrics metrics(const std::vector<Scored>& scored) {
  std::vector<Scored> known;
  for (const Scored& one : scored) {
    if (kLetters.contains(one.item->ground_truth.get<std::string>())) known.push_back(one);
  }
  return known.empty() ? Metrics::object() : by_task(known);
}

/// The file for the test server: {idx: "(X)"}, "" for what could not be parsed.
OrderedJson submission(const std::vector<Scored>& scored) {
  OrderedJson answers = OrderedJson::object();
  for (const Scored& one : scored) {
    const Json& prediction = one.verdict->prediction;
    answers[id_text(one.item->id)] = prediction.is_null() ? Json("") : prediction;
  }
  return answers;
}

}  // namespace

/// The truth of the real test split is hidden: there is a submission, and numbers only where a split has
/// answers.
Benchmark blink() {
  Benchmark benchmark;
  benchmark.name = "BLINK";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"Overall"};
  benchmark.submission_file = "blink_submission.json";
  benchmark.submission = submission;
  benchmark.paper = {{"BLINK test", {"Overall"}, 44.2, 56.7, "44.0 InternVL2.5", "54.8 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
