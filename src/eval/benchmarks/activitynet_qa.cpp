#include <array>
#include <map>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 9> kTypes = {"motion", "spatial",  "temporal", "yes-no", "color",
                                               "object", "location", "number",   "other"};

Dataset load(const fs::path& root, Defects) {
  const fs::path questions = root / "test_q.json", answers = root / "test_a.json";
  std::map<std::string, size_t> truths;  // the answer's row
  const std::vector<Json> answer_rows = read_json_list(answers);
  for (size_t i = 0; i < answer_rows.size(); ++i)
    truths.emplace(Row(answer_rows[i], answers, i).text_of("question_id"), i);
  std::vector<Item> items;
  const std::vector<Json> rows = read_json_list(questions);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], questions, i);
    Item item;
    const std::string id = row.text_of("question_id");
    const auto truth = truths.find(id);
    VL3_CHECK(truth != truths.end(), kCorrupt, "{}: no answer to question {} in {}", row.where(), id,
              answers.string());
    const Row answer(answer_rows[truth->second], answers, truth->second);
    const std::string type = answer.text_of("type");
    VL3_CHECK(type.size() == 1 && type[0] >= '0' && type[0] <= '8', kCorrupt, "{}: type {} is none of 0 to 8",
              answer.where(), type);
    item.id = id;
    item.task_types = {kTypes[static_cast<size_t>(type[0] - '0')]};
    item.media = {video_file(find_video(root / "all_test", "v_" + row.text("video_name"), row.where()))};
    item.question = row.text("question");
    item.ground_truth = answer.text_of("answer");
    item.prompt =
        media_then(1, "Question: " + item.question +
                          "\nPlease watch the video and answer the question clearly and concisely.\n");
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

constexpr const char* kSystem =
    "You evaluate answers to questions about videos. Compare the predicted answer with the correct one and "
    "say "
    "whether they mean the same; synonyms and paraphrases count as correct.";

std::string judge_question(const Item& item, const std::string& response) {
  return "Question: " + item.question + "\nCorrect answer: " + item.ground_truth.get<std::string>() +
         "\nPredicted answer: " + response +
         "\nReply with nothing but a Python dictionary with the keys 'pred' ('yes' or 'no') and 'score' (a "
         "whole "
         "number from 0 to 5, 5 for a full match), for example {'pred': 'yes', 'score': 4}.";
}

/// "yes" or "no" and a score from 0 to 5 out of a Python or JSON dictionary; nullopt for anything else.
std::optional<std::pair<std::string, double>> parse_reply(const std::string& reply) {
  const auto braces = outer_braces(reply);
  if (!braces) return std::nullopt;
  const std::string text = replace_all(*braces, "'", "\"");
  try {
    const Json json = parse_json(text, "reply of the judge");
    const JsonView view(json, "reply of the judge");
    const std::string pred = lower(view.string("pred"));
    const auto score = view.at("score").is_string() ? to_float(view.string("score")) : view.number("score");
    if ((pred == "yes" || pred == "no") && score && *score >= 0 && *score <= 5)
      return std::pair(pred, *score);
  } catch (const Error&) {
  }
  return std::nullopt;
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  if (scoring.judge == nullptr) return unjudged(response);
  Verdict verdict;
  verdict.prediction = response;
  const std::string reply =
      scoring.judge->ask({.system = kSystem,
                          .user = judge_question(item, response),
                          .temperature = 0.7,
                          .top_p = 0.95,
                          .max_tokens = 800,
                          .usable = [](const std::string& text) { return parse_reply(text).has_value(); }});
  const auto found = parse_reply(reply);
  verdict.judged = {{"pred", found->first}, {"score", found->second}};
  verdict.score = found->first == "yes" ? 1 : 0;
  return verdict;
}

Metrics metrics(const std::vector<Scored>& scored) {
  Metrics all = by_task(scored);
  double sum = 0;
  for (const Scored& one : scored) {
    if (one.verdict->judged.is_object()) sum += one.verdict->judged["score"].get<double>();
  }
  if (!scored.empty()) all["score"] = sum / static_cast<double>(scored.size());
  return all;
}

}  // namespace

Benchmark activitynet_qa() {
  Benchmark benchmark;
  benchmark.name = "activitynet_qa";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"Overall"};
  benchmark.wholly_judged = true;
  benchmark.paper = {{"ActivityNet-QA", {"Overall"}, 58.2, 61.3, "54.1 InternVL2.5", "60.9 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
