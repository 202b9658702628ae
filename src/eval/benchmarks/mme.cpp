#include <algorithm>
#include <array>
#include <map>

#include "core/check.h"
#include "core/file.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/data/files.h"
#include "eval/scorers/letters.h"
#include "eval/text/python_text.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;

struct Task {
  const char* name;
  bool perception;
};
constexpr std::array<Task, 14> kTasks = {{{"existence", true},
                                          {"count", true},
                                          {"position", true},
                                          {"color", true},
                                          {"posters", true},
                                          {"celebrity", true},
                                          {"scene", true},
                                          {"landmark", true},
                                          {"artwork", true},
                                          {"OCR", true},
                                          {"commonsense_reasoning", false},
                                          {"numerical_calculation", false},
                                          {"text_translation", false},
                                          {"code_reasoning", false}}};

bool is_image(const fs::path& path) {
  const std::string extension = lower(path.extension().string());
  return extension == ".jpg" || extension == ".png" || extension == ".jpeg";
}

std::vector<fs::path> images_of(const fs::path& folder) {
  std::vector<fs::path> found;
  for (fs::path& path : find_parts(folder, "", "")) {
    if (is_image(path)) found.push_back(std::move(path));
  }
  return found;
}

/// Lines of "question<TAB>Yes|No".
void add_questions(std::vector<Item>& items, const Task& task, const fs::path& image, const fs::path& file) {
  const std::string text = replace_all(read_file(file, 1 << 20), "\r\n", "\n");
  for (const std::string& line : split(text, "\n")) {
    if (strip(line).empty()) continue;
    const size_t tab = line.find('\t');
    VL3_CHECK(tab != std::string::npos, kCorrupt, "{}: \"{}\" has no tab before its answer", file.string(),
              line.substr(0, 100));
    Item item;
    const std::string answer = strip(line.substr(tab + 1));
    VL3_CHECK(answer == "Yes" || answer == "No", kCorrupt, "{}: answer \"{}\" is neither Yes nor No",
              file.string(), answer.substr(0, 100));
    item.id = task.name + image.filename().string() + answer;
    item.task_types = {task.name};
    item.media = {image_file(image)};
    item.question = line.substr(0, tab);
    item.ground_truth = answer;
    const std::string asked = replace_all(item.question, " Please answer yes or no.",
                                          "\nAnswer the question using a single word or phrase.");
    item.prompt = media_then(1, asked + "\nPlease answer yes or no.");
    items.push_back(std::move(item));
  }
}

Dataset load(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const Task& task : kTasks) {
    const fs::path folder = root / "MME_Benchmark_release_version" / task.name;
    const bool nested = fs::is_directory(folder / "images");
    const fs::path questions = nested ? folder / "questions_answers_YN" : folder;
    for (const fs::path& image : images_of(nested ? folder / "images" : folder))
      add_questions(items, task, image, questions / (image.stem().string() + ".txt"));
  }
  return make_dataset(std::move(items));
}

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  const std::string low = lower(response);
  return exact(contains(low, "yes") ? "Yes" : contains(low, "no") ? "No" : "other", item);
}

/// A task's points: percent of right answers, and percent of images with both answers right.
Metrics metrics(const std::vector<Scored>& scored) {
  struct Sums {
    double right = 0, questions = 0;
    std::map<size_t, bool> images;  // by cluster: all right so far
  };
  std::map<std::string, Sums> tasks;
  for (const Scored& one : scored) {
    Sums& sums = tasks[one.item->task_types.front()];
    sums.right += one.verdict->score;
    sums.questions += 1;
    // DIFFERS: the official code pairs neighbours, and its ids merge two questions with one answer.
    bool& all = sums.images.emplace(one.cluster, true).first->second;
    all = all && one.verdict->score > 0;
  }
  Metrics result = Metrics::object();
  double perception = 0, cognition = 0;
  for (const Task& task : kTasks) {
    const auto found = tasks.find(task.name);
    if (found == tasks.end()) continue;
    const Sums& sums = found->second;
    const auto both = std::count_if(sums.images.begin(), sums.images.end(), [](auto& i) { return i.second; });
    const double points = 100 * sums.right / sums.questions +
                          100 * static_cast<double>(both) / static_cast<double>(sums.images.size());
    result[task.name] = points;
    (task.perception ? perception : cognition) += points;
  }
  result["Perception"] = perception;
  result["Cognition"] = cognition;
  result["Overall"] = perception + cognition;
  return result;
}

}  // namespace

Benchmark mme() {
  Benchmark benchmark;
  benchmark.name = "MME";
  benchmark.load = load;
  benchmark.score = score;
  benchmark.metrics = metrics;
  benchmark.headline = {"Overall"};
  benchmark.paper = {{"MME", {"Overall"}, 1901, 2102, "2005 InternVL2.5", "2344 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
