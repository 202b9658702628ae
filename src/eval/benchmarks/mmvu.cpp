#include <optional>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStepByStep =
    "Begin by explaining your reasoning process clearly. Conclude by stating the final answer using the "
    "following format: ";
constexpr const char* kThink = " Think step by\nstep before answering.";

struct Options {
  bool choice = false;
  std::string lines;  ///< "A: …\nB: …"
};

std::string direct_prompt(const std::string& question, const Options& options) {
  if (options.choice)
    return "\nQuestion: " + question + "\n" + options.lines +
           "\n\nDo not generate any intermediate reasoning process. Answer directly with the option letter "
           "from "
           "the given choices.\n";
  return "\nQuestion: " + question +
         "\n\nDo not generate any intermediate reasoning process. Directly output the final short answer.\n";
}

std::string reasoning_prompt(const std::string& question, const Options& options) {
  if (options.choice)
    return "\nQuestion: " + question + "\n" + options.lines +
           "\n\nAnswer the given multiple-choice question step by step. " + kStepByStep +
           "'Therefore, the final answer is: $LETTER' (without quotes), where $LETTER is one of the "
           "options." +
           kThink;
  return "\nQuestion: " + question + "\n\nAnswer the given question step by step. " + kStepByStep +
         "'Therefore, the final answer is: 'Answer: $ANSWER' (without quotes), where $ANSWER is the final "
         "answer "
         "of the question." +
         kThink;
}

/// The file below videos/ that the item's web address ends in: its last folder and name.
fs::path video_of(const fs::path& root, const std::string& url, const std::string& where) {
  const size_t name = url.rfind('/');
  const size_t folder = name == std::string::npos || name == 0 ? name : url.rfind('/', name - 1);
  return below(root / "videos", folder == std::string::npos ? url : url.substr(folder + 1), where);
}

Dataset load(const fs::path& root, Defects) {
  const fs::path file = root / "validation.json";
  const std::vector<Json> rows = read_json_list(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.media = {video_file(video_of(root, row.text("video"), row.where()))};
    item.question = row.text("question");
    const std::string type = row.text("question_type");
    Options options{type == "multiple-choice", ""};
    VL3_CHECK(options.choice || type == "open-ended", kCorrupt, "{}: question_type \"{}\"", row.where(),
              type);
    for (const char* key : {"A", "B", "C", "D", "E"}) {
      if (!options.choice) break;
      const JsonView choices(row.at("choices"), row.where());
      if (!choices.has(key)) continue;
      item.options.push_back(choices.string(key));
      options.lines += (options.lines.empty() ? "" : "\n") + std::string(key) + ": " + item.options.back();
    }
    item.ground_truth = row.text_of("answer");
    item.task_types = {JsonView(row.at("metadata"), row.where()).string("subject")};
    item.meta = {{"choices", options.lines}};
    item.section = "direct";
    item.id = row.text_of("id") + "_direct";
    item.prompt = media_then(1, direct_prompt(item.question, options));
    items.push_back(item);
    item.section = "cot";
    item.id = row.text_of("id") + "_cot";
    item.prompt = media_then(1, reasoning_prompt(item.question, options));
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

constexpr const char* kSystem =
    "You grade answers to expert-level questions about videos. Extract the final answer from the model's "
    "response, then decide whether it is correct given the true answer; equal meaning, equal value and the "
    "letter "
    "of the right option count as correct.";

/// The judge's finding out of its JSON; nullopt for anything else.
std::optional<Json> parse_reply(const std::string& reply) {
  const auto braces = outer_braces(reply);
  if (!braces) return std::nullopt;
  try {
    const Json json = parse_json(*braces, "reply of the judge");
    const JsonView view(json, "reply of the judge");
    if (!view.at("correct").is_boolean()) return std::nullopt;
    return Json{{"extracted_answer", view.at("extracted_answer")}, {"correct", view.at("correct")}};
  } catch (const Error&) {
    return std::nullopt;
  }
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  if (scoring.judge == nullptr) return unjudged(response);
  Verdict verdict;
  verdict.prediction = response;
  const std::string choices = item.meta["choices"].get<std::string>();
  const std::string reply = scoring.judge->ask(
      {.system = kSystem,
       .user = "Question: " + item.question + (choices.empty() ? "" : "\n" + choices) +
               "\nTrue answer: " + item.ground_truth.get<std::string>() + "\nModel's response: " + response +
               "\nReply with nothing but JSON: {\"extracted_answer\": \"…\", \"correct\": true or false}",
       .temperature = 1,
       .usable = [](const std::string& text) { return parse_reply(text).has_value(); }});
  verdict.judged = *parse_reply(reply);
  verdict.score = verdict.judged["correct"].get<bool>() ? 1 : 0;
  return verdict;
}

}  // namespace

Benchmark mmvu() {
  Benchmark benchmark;
  benchmark.name = "mmvu";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = by_section;
  benchmark.headline = {"direct", "Overall"};
  benchmark.wholly_judged = true;
  benchmark.paper = {{"MMVU val", {"direct", "Overall"}, 39.9, 44.1, "36.5 Qwen2-VL", "43.7 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
