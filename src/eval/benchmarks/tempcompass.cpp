#include <array>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/data/parquet.h"
#include "eval/scorers/metrics.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

struct Format {
  const char *folder, *section, *instruction;
};
constexpr std::array<Format, 4> kFormats = {{
    {"yes_no", "yes_no", "Please answer with 'yes' or 'no' directly."},
    {"captioning", "captioning", "Please answer with the caption directly."},
    {"caption_matching", "caption_matching", "Please directly give the best option:"},
    {"multi-choice", "multi_choice",
     "Please answer with the option's letter from the given choices directly and only give the best option."},
}};

/// The question of a captioning item without its last line; also what the judge gets to see.
std::string without_caption_line(const std::string& question) {
  return strip(replace_all(question, "\nGenerated Caption:", ""));
}

Dataset load(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const Format& format : kFormats) {
    const fs::path file = root / format.folder / "test-00000-of-00001.parquet";
    const std::vector<Json> rows = ParquetFile(file).rows();
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row row(rows[i], file, i);
      Item item;
      item.id = items.size();
      item.media = {video_file(below(root / "videos", row.text("video_id") + ".mp4", row.where()))};
      item.task_types = {row.text("dim")};
      item.section = format.section;
      item.question = row.text("question");
      item.ground_truth = row.text("answer");
      const bool captioning = item.section == "captioning";
      const std::string asked = captioning ? without_caption_line(item.question) : item.question;
      item.prompt = media_then(1, "Question: " + asked + "\n" + format.instruction);
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

/// The truth where the answer begins with what is right, else the answer itself.
Verdict begins_with(const Item& item, const std::string& response, const std::string& seen,
                    const std::string& right) {
  Verdict verdict;
  const bool correct = lower(seen).starts_with(lower(right));
  verdict.prediction = correct ? item.ground_truth : Json(response);
  verdict.score = correct ? 1 : 0;
  return verdict;
}

Verdict score_yes_no(const Item& item, const std::string& response) {
  const std::string low = lower(response);
  if (!contains(low, "yes") && !contains(low, "no")) return no_answer("neither \"yes\" nor \"no\"");
  return begins_with(item, response, response, item.ground_truth.get<std::string>());
}

std::string without_words(const std::string& text) {
  std::string left = lower(text);
  for (const char* word : {"option", "sentence", "caption"}) left = replace_all(left, word, "");
  return strip(left);
}

Verdict score_matching(const Item& item, const std::string& response) {
  const std::string truth = item.ground_truth.get<std::string>();
  const std::string key = without_words(truth.substr(0, truth.find(':')));
  return begins_with(item, response, without_words(response), key);
}

constexpr const char* kJudgeSystem =
    "You are given a description of a video and a multiple-choice question about the video. Choose the "
    "option "
    "that the description supports, using nothing but the description. Where it supports none, choose None.";

std::string judge_question(const std::string& caption, const std::string& question) {
  return "Video Description: " + caption + "\nMulti-Choice Question:\n" + question +
         "\nReply with one short sentence of reasoning and then a last line of the form \"Answer: X\", X "
         "being "
         "A, B, C, D or None.";
}

/// The first "Answer: A" … "Answer: D" or "Answer: None"; "None" without, as the official code has it.
std::string judge_answer(const std::string& reply) {
  constexpr const char* kMark = "Answer: ";
  for (size_t at = reply.find(kMark); at != std::string::npos; at = reply.find(kMark, at + 1)) {
    const std::string_view rest = std::string_view(reply).substr(at + 8);
    if (rest.starts_with("None")) return "None";
    if (!rest.empty() && rest[0] >= 'A' && rest[0] <= 'D') return std::string(1, rest[0]);
  }
  return "None";
}

Verdict score_caption(const Item& item, const std::string& response, Judge* judge) {
  const std::string caption = lower(response);
  if (judge == nullptr) return unjudged(caption);
  Verdict verdict;
  verdict.prediction = caption;
  const std::string chosen = judge_answer(judge->ask(
      {.system = kJudgeSystem, .user = judge_question(caption, without_caption_line(item.question))}));
  const bool right = item.ground_truth.get<std::string>().starts_with(chosen);
  verdict.judged = right ? item.ground_truth : Json(lower(chosen));
  verdict.score = right ? 1 : 0;
  return verdict;
}

Verdict score(const Item& item, const std::string& response, const Scoring& scoring) {
  if (item.section == "yes_no") return score_yes_no(item, response);
  if (item.section == "captioning") return score_caption(item, response, scoring.judge);
  if (item.section == "caption_matching") return score_matching(item, response);
  const std::string truth = item.ground_truth.get<std::string>();
  return begins_with(item, response, response, truth.substr(0, truth.find('.')));
}

/// Captions that were not judged have no number; where none was, there is no total of all four formats.
Metrics metrics(const std::vector<Scored>& scored) {
  std::vector<Scored> decided;
  bool captions = false, judged = false;
  for (const Scored& one : scored) {
    if (!one.verdict->judge_missing) decided.push_back(one);
    if (one.item->section != "captioning") continue;
    captions = true;
    judged = judged || !one.verdict->judge_missing;
  }
  Metrics all = by_section(decided);
  if (judged || !captions) all["total"] = by_task(decided);
  return all;
}

}  // namespace

Benchmark tempcompass() {
  Benchmark benchmark;
  benchmark.name = "tempcompass";
  benchmark.modality = Modality::kVideo;
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"total", "Overall"};
  benchmark.paper = {{"TempCompass", {"total", "Overall"}, 63.4, 68.1, "62.2 Qwen2-VL", "69.7 NVILA"}};
  return benchmark;
}

}  // namespace vl3::eval
