#include "synth/official_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/file.h"

namespace vl3::synth {
namespace {

namespace fs = std::filesystem;

// Of mvbench's twenty tasks, those that have generated questions; the others stay empty.
struct VideoTask {
  const char *file, *folder;
  std::vector<std::string> kinds;
};
const std::vector<VideoTask>& video_tasks() {
  static const std::vector<VideoTask> tasks = {
      {"action_sequence", "star/Charades_v1_480", {}},
      {"action_prediction", "star/Charades_v1_480", {}},
      {"action_antonym", "ssv2_video", {}},
      {"fine_grained_action", "Moments_in_Time_Raw/videos", {}},
      {"unexpected_action", "FunQA_test/test", {}},
      {"object_existence", "clevrer/video_validation", {"long.needle", "video.flashes"}},
      {"object_interaction", "star/Charades_v1_480", {}},
      {"object_shuffle", "perception/videos", {}},
      {"moving_direction", "clevrer/video_validation", {"video.direction"}},
      {"action_localization", "sta/sta_video", {}},
      {"scene_transition", "scene_qa/video", {}},
      {"action_count", "perception/videos", {}},
      {"moving_count", "clevrer/video_validation", {"video.count"}},
      {"moving_attribute", "clevrer/video_validation", {"video.colour", "video.shape", "video.moves"}},
      {"state_change", "perception/videos", {"video.colour_from", "video.colour_to", "video.changes"}},
      {"fine_grained_pose", "nturgbd", {}},
      {"character_order", "perception/videos", {"video.first", "video.last", "video.after", "video.before"}},
      {"egocentric_navigation", "vlnqa", {}},
      {"episodic_reasoning", "tvqa/frames_fps3_hq", {}},
      {"counterfactual_inference", "clevrer/video_validation", {}}};
  return tasks;
}

/// The name of an item's only medium below `into`, where it then is.
std::string place(const fs::path& folder, const BenchmarkItem& item, const fs::path& into) {
  const fs::path from = folder / item.media.front();
  VL3_CHECK(fs::is_regular_file(from), kUnsupported,
            "{}: a folder of frames is no file of a benchmark; write clips as h264", from.string());
  fs::create_directories(into);
  const fs::path to = into / from.filename();
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to);
  return to.filename().string();
}

bool has_options(const BenchmarkItem& item) {
  return item.options.size() > 1 &&
         std::find(item.options.begin(), item.options.end(), item.answer) != item.options.end();
}

/// The answer among at most `most` options; where it stands changes from item to item.
std::vector<std::string> some_options(const BenchmarkItem& item, size_t most, size_t number) {
  std::vector<std::string> options;
  for (const std::string& option : item.options) {
    if (option != item.answer && options.size() + 1 < most) options.push_back(option);
  }
  options.insert(options.begin() + static_cast<std::ptrdiff_t>(number % (options.size() + 1)), item.answer);
  return options;
}

class Files {
 public:
  explicit Files(fs::path folder) : folder_(std::move(folder)), root_(folder_ / "official") {}

  void add(const BenchmarkItem& item) {
    const std::string family = item.kind.substr(0, item.kind.find('.'));
    const bool exact = item.form == AnswerForm::kExact;
    if (item.media_type == MediaType::kImage && exact) {
      if (family == "scene" && has_options(item)) add_ai2d(item);
      if (family == "chart") add_chartqa(item);
      if (family == "document") add_docvqa(item);
      if (item.kind == "ocr.read" || item.kind == "ocr.line" || item.kind == "ocr.word") add_ocrbench(item);
    }
    if (item.media_type == MediaType::kVideo && exact && has_options(item)) add_mvbench(item);
    if (item.media_type == MediaType::kVideo && item.form == AnswerForm::kSpan) add_charades(item);
  }

  void write() {
    for (const auto& [name, text] : lines_) write_file_atomically(root_ / name, text);
    if (!chartqa_.empty()) {
      for (const char* part : {"test_augmented_renamed.jsonl", "test_human_renamed.jsonl"})
        write_file_atomically(root_ / "ChartQA" / part, chartqa_[part]);
    }
    if (!ocrbench_.empty()) write_file_atomically(root_ / "OCRBench/OCRBench.json", ocrbench_.dump(1) + "\n");
    if (!charades_.empty())
      write_file_atomically(root_ / "charades_sta/charades_annotations_test-random_prompt.json",
                            charades_.dump(1) + "\n");
    if (mvbench_.empty()) return;
    fs::create_directories(root_ / "mvbench/json");
    for (const VideoTask& task : video_tasks()) {
      const auto rows = mvbench_.find(task.file);
      const Json none = Json::array();
      write_file_atomically(root_ / "mvbench/json" / (std::string(task.file) + ".json"),
                            (rows == mvbench_.end() ? none : rows->second).dump(1) + "\n");
    }
  }

 private:
  void add_ai2d(const BenchmarkItem& item) {
    const std::vector<std::string> options = some_options(item, 4, ai2d_++);
    std::string question = item.question;
    std::string right;
    for (size_t i = 0; i < options.size(); ++i) {
      const std::string letter(1, static_cast<char>('A' + i));
      question += fmt::format("\n{}. {}", letter, options[i]);
      if (options[i] == item.answer) right = letter;
    }
    question += "\nAnswer with the option's letter from the given choices directly.";
    add_line("AI2D/ai2d_test_vlmevalkit.jsonl",
             {{"question_id", item.id},
              {"image", "images/" + place(folder_, item, root_ / "AI2D/images")},
              {"question", question},
              {"answer", right}});
  }

  void add_chartqa(const BenchmarkItem& item) {
    const bool looked_up = item.kind == "chart.value" || item.kind == "chart.values";
    const OrderedJson row{{"question_id", item.id},
                          {"image", "images/" + place(folder_, item, root_ / "ChartQA/images")},
                          {"question", item.question},
                          {"answer", item.answer}};
    chartqa_[looked_up ? "test_augmented_renamed.jsonl" : "test_human_renamed.jsonl"] += row.dump() + "\n";
  }

  void add_docvqa(const BenchmarkItem& item) {
    add_line("DocVQA/val.jsonl", {{"question_id", item.id},
                                  {"image", "images/" + place(folder_, item, root_ / "DocVQA/images")},
                                  {"question", item.question},
                                  {"answer", answers(item)}});
  }

  void add_ocrbench(const BenchmarkItem& item) {
    ocrbench_.push_back({{"dataset_name", "vl3 synth"},
                         {"type", "Regular Text Recognition"},
                         {"image_path", place(folder_, item, root_ / "OCRBench/OCRBench_Images")},
                         {"question", item.question},
                         {"answers", answers(item)}});
  }

  void add_mvbench(const BenchmarkItem& item) {
    for (const VideoTask& task : video_tasks()) {
      if (std::find(task.kinds.begin(), task.kinds.end(), item.kind) == task.kinds.end()) continue;
      Json& rows = mvbench_[task.file];
      rows.push_back({{"video", place(folder_, item, root_ / "mvbench/video" / task.folder)},
                      {"question", item.question},
                      {"candidates", some_options(item, 4, rows.size())},
                      {"answer", item.answer}});
    }
  }

  void add_charades(const BenchmarkItem& item) {
    const auto span = parse_span(item.answer);
    VL3_CHECK(span, kInternal, "{}: \"{}\" is no span", item.id, item.answer);
    charades_.push_back({{"question_id", item.id},
                         {"video", place(folder_, item, root_ / "charades_sta/Charades_v1")},
                         {"conversation", {{{"role", "user"}, {"content", item.question + " "}}}},
                         {"timestamps", {{span->first, span->second}}}});
  }

  static std::vector<std::string> answers(const BenchmarkItem& item) {
    std::vector<std::string> all{item.answer};
    all.insert(all.end(), item.accepted.begin(), item.accepted.end());
    return all;
  }

  void add_line(const std::string& file, const OrderedJson& row) { lines_[file] += row.dump() + "\n"; }

  const fs::path folder_, root_;
  size_t ai2d_ = 0;
  std::map<std::string, std::string> lines_, chartqa_;
  std::map<std::string, Json> mvbench_;
  Json ocrbench_ = Json::array(), charades_ = Json::array();
};

}  // namespace

void write_official_files(const fs::path& folder, const std::vector<BenchmarkItem>& items) {
  Files files(folder);
  for (const BenchmarkItem& item : items) files.add(item);
  files.write();
}

}  // namespace vl3::synth
