// mvbench, mlvu, nextqa: one prompt and one parser, three layouts of files.
#include <algorithm>
#include <array>

#include "core/check.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/csv.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/scorers/metrics.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

struct Task {
  const char *name, *file, *folder;
  bool bounded = false;  ///< the questions are about a part of the video
};

constexpr std::array<Task, 20> kMvbench = {{
    {"Action Sequence", "action_sequence.json", "star/Charades_v1_480", true},
    {"Action Prediction", "action_prediction.json", "star/Charades_v1_480", true},
    {"Action Antonym", "action_antonym.json", "ssv2_video"},
    {"Fine-grained Action", "fine_grained_action.json", "Moments_in_Time_Raw/videos"},
    {"Unexpected Action", "unexpected_action.json", "FunQA_test/test"},
    {"Object Existence", "object_existence.json", "clevrer/video_validation"},
    {"Object Interaction", "object_interaction.json", "star/Charades_v1_480", true},
    {"Object Shuffle", "object_shuffle.json", "perception/videos"},
    {"Moving Direction", "moving_direction.json", "clevrer/video_validation"},
    {"Action Localization", "action_localization.json", "sta/sta_video", true},
    {"Scene Transition", "scene_transition.json", "scene_qa/video"},
    {"Action Count", "action_count.json", "perception/videos"},
    {"Moving Count", "moving_count.json", "clevrer/video_validation"},
    {"Moving Attribute", "moving_attribute.json", "clevrer/video_validation"},
    {"State Change", "state_change.json", "perception/videos"},
    {"Fine-grained Pose", "fine_grained_pose.json", "nturgbd"},
    {"Character Order", "character_order.json", "perception/videos"},
    {"Egocentric Navigation", "egocentric_navigation.json", "vlnqa"},
    {"Episodic Reasoning", "episodic_reasoning.json", "tvqa/frames_fps3_hq", true},
    {"Counterfactual Inference", "counterfactual_inference.json", "clevrer/video_validation"},
}};

constexpr std::array<Task, 7> kMlvu = {{
    {"TR:  (Topic Reasoning)", "7_topic_reasoning.json", "7_topic_reasoning"},
    {"AR:  (Anomaly Recognition)", "6_anomaly_reco.json", "6_anomaly_reco"},
    {"NQA: (Needle QA)", "2_needle.json", "2_needle"},
    {"ER:  (Ego Reasoning)", "3_ego.json", "3_ego"},
    {"PQA: (Plot QA)", "1_plotQA.json", "1_plotQA"},
    {"AC:  (Action Count)", "4_count.json", "4_count"},
    {"AO:  (Action Order)", "5_order.json", "5_order"},
}};

void finish(Item& item) {
  item.prompt = media_then(1, lettered_question(item.question, item.options) + kBestOption);
}

void add_task(std::vector<Item>& items, const fs::path& root, const Task& task) {
  const fs::path file = root / "json" / task.file;
  const std::vector<Json> rows = read_json_list(file);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row row(rows[i], file, i);
    Item item;
    item.id = items.size();
    item.task_types = {task.name};
    item.media = {video_file(below(root / "video" / task.folder, row.text("video"), row.where()))};
    if (task.bounded) {
      item.media[0].start = row.number("start");
      item.media[0].end = row.number("end");
    }
    item.question = row.text("question");
    item.options = row.texts("candidates");
    const std::string answer = row.text_of("answer");
    const auto right = std::find(item.options.begin(), item.options.end(), answer);
    VL3_CHECK(right != item.options.end() && item.options.size() <= 26, kCorrupt,
              "{}: the answer \"{}\" is none of the candidates", row.where(), answer);
    item.ground_truth = right - item.options.begin();
    finish(item);
    items.push_back(std::move(item));
  }
}

template <size_t N>
Dataset load_tasks(const fs::path& root, const std::array<Task, N>& tasks) {
  std::vector<Item> items;
  for (const Task& task : tasks) add_task(items, root, task);
  return make_dataset(std::move(items));
}

std::string nextqa_task(const std::string& type, const std::string& where) {
  if (type.starts_with("C")) return "Causal";
  if (type.starts_with("T")) return "Temporal";
  VL3_CHECK(type.starts_with("D"), kCorrupt, "{}: type \"{}\" begins with none of C, T, D", where, type);
  return "Descriptive";
}

Dataset load_nextqa(const fs::path& root, Defects defects) {
  const fs::path file = root / "test.csv", map_file = root / "map_vid_vidorID.json";
  const Json map = read_json_file(map_file);
  const auto rows = read_csv(file);
  std::vector<Item> items;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string where = fmt::format("{}: row {}", file.string(), i + 1);
    const auto field = [&](const std::string& name) {
      const auto found = rows[i].find(name);
      VL3_CHECK(found != rows[i].end(), kCorrupt, "{}: has no column \"{}\"", where, name);
      return found->second;
    };
    Item item;
    item.id = i;
    item.task_types = {nextqa_task(field("type"), where)};
    const std::string mapped = JsonView(map, map_file.string()).string(field("video"));
    item.media = {video_file(below(root / "NExTVideo", mapped + ".mp4", where))};
    item.question = field("question");
    const std::string truth = field("answer");
    VL3_CHECK(truth.size() == 1 && truth[0] >= '0' && truth[0] <= '4', kCorrupt,
              "{}: answer \"{}\" is none of 0 to 4", where, truth);
    item.ground_truth = truth[0] - '0';
    for (int option = 0; option < 5; ++option) {
      const std::string text = field(fmt::format("a{}", option));
      // DIFFERS: pandas reads "None", "N/A", "null" … as missing, and the official loader drops such options,
      // which shifts the letters behind them. Only empty ones are dropped here, and the truth is shifted,
      // too.
      const bool dropped = defects == Defects::kOfficial ? pandas_missing(text) : text.empty();
      if (!dropped) {
        item.options.push_back(text);
      } else if (defects == Defects::kFixed && option <= item.ground_truth.get<int>()) {
        VL3_CHECK(option != item.ground_truth.get<int>(), kCorrupt, "{}: the right option is empty", where);
        item.ground_truth = item.ground_truth.get<int>() - 1;
      }
    }
    VL3_CHECK(!item.options.empty(), kCorrupt, "{}: has no option", where);
    finish(item);
    items.push_back(std::move(item));
  }
  return make_dataset(std::move(items));
}

/// @param fallback  the official parser gets as far as looking for an option's text
Verdict score_choice(const Item& item, const std::string& response, const Scoring& scoring, bool fallback) {
  const std::string body = without_answer_word(response);
  const size_t count = item.options.size();
  const bool official = scoring.defects == Defects::kOfficial;
  if (const auto found = first_letter(body, count)) {
    // DIFFERS: "B, because", "(B), as" and "( B )" end the official run.
    if (official && letter_fails(body, count, LetterContext::kCommas))
      return no_answer("the official parser fails on the letter's surroundings");
    return exact(*found, item);
  }
  // DIFFERS: mlvu and nextqa use an undefined name here.
  if (official && !fallback) return no_answer("the official parser fails without a letter");
  const auto option = option_in(body, item.options);
  return option ? exact(*option, item) : no_answer("no option letter and no option's text");
}

Benchmark choice(const char* name, bool fallback) {
  Benchmark benchmark;
  benchmark.name = name;
  benchmark.modality = Modality::kVideo;
  benchmark.score = [fallback](const Item& item, const std::string& response, const Scoring& scoring) {
    return score_choice(item, response, scoring, fallback);
  };
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  return benchmark;
}

}  // namespace

Benchmark mvbench() {
  Benchmark benchmark = choice("mvbench", true);
  benchmark.load = [](const fs::path& root, Defects) { return load_tasks(root, kMvbench); };
  benchmark.paper = {{"MVBench", {"Overall"}, 65.5, 69.7, "68.8 InternVL2.5", "72.0 InternVL2.5"}};
  return benchmark;
}

Benchmark mlvu() {
  Benchmark benchmark = choice("mlvu", false);
  benchmark.load = [](const fs::path& root, Defects) { return load_tasks(root, kMlvu); };
  benchmark.paper = {{"MLVU dev", {"Overall"}, 65.4, 73.0, "63.3 Apollo", "70.9 Apollo"}};
  return benchmark;
}

Benchmark nextqa() {
  Benchmark benchmark = choice("nextqa", false);
  benchmark.load = load_nextqa;
  benchmark.paper = {{"NextQA", {"Overall"}, 81.1, 84.5, "77.2 Qwen2-VL", "85.0 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
