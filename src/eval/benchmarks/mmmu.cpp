// MMMU and MMMU-Pro (standard): Hugging Face datasets with up to seven pictures named inside the question.
#include <algorithm>
#include <array>

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

constexpr std::array<const char*, 30> kSubjects = {"Accounting",
                                                   "Agriculture",
                                                   "Architecture_and_Engineering",
                                                   "Art",
                                                   "Art_Theory",
                                                   "Basic_Medical_Science",
                                                   "Biology",
                                                   "Chemistry",
                                                   "Clinical_Medicine",
                                                   "Computer_Science",
                                                   "Design",
                                                   "Diagnostics_and_Laboratory_Medicine",
                                                   "Economics",
                                                   "Electronics",
                                                   "Energy_and_Power",
                                                   "Finance",
                                                   "Geography",
                                                   "History",
                                                   "Literature",
                                                   "Manage",
                                                   "Marketing",
                                                   "Materials",
                                                   "Math",
                                                   "Mechanical_Engineering",
                                                   "Music",
                                                   "Pharmacy",
                                                   "Physics",
                                                   "Psychology",
                                                   "Public_Health",
                                                   "Sociology"};

/// The number of "<image N>" at `at`, N from 1 to 7; 0 where there is none.
int picture_number(std::string_view text, size_t at) {
  constexpr std::string_view kOpen = "<image ";
  if (text.compare(at, kOpen.size(), kOpen) != 0 || at + kOpen.size() + 1 >= text.size()) return 0;
  const char digit = text[at + kOpen.size()];
  return digit >= '1' && digit <= '7' && text[at + kOpen.size() + 1] == '>' ? digit - '0' : 0;
}

/// Each "<image N>" becomes "<image N>:" and the picture itself, in place.
void place_pictures(Item& item, const std::string& text, const Row& row,
                    const std::shared_ptr<const ParquetFile>& file, size_t number) {
  std::string run;
  for (size_t at = 0; at < text.size(); ++at) {
    run += text[at];
    // The mark ends here.
    constexpr size_t kMark = 9;
    const int picture = text[at] == '>' && at + 1 >= kMark ? picture_number(text, at + 1 - kMark) : 0;
    if (picture == 0) continue;
    const std::string column = fmt::format("image_{}", picture);
    VL3_CHECK(row.has(column.c_str()), kCorrupt, "{}: \"<image {}>\", but there is no {}", row.where(),
              picture, column);
    item.prompt.push_back({run + ":", -1});
    item.prompt.push_back({"", static_cast<int>(item.media.size())});
    item.media.push_back(picture_in(file, number, column));
    run.clear();
  }
  if (!run.empty()) item.prompt.push_back({run, -1});
}

std::string lettered(const std::vector<std::string>& options) {
  std::string lines;
  for (size_t i = 0; i < options.size(); ++i)
    lines += fmt::format("{}({}):{}", i == 0 ? "" : "\n", letter(i), options[i]);
  return lines;
}

void read_options(Item& item, const Row& row) {
  item.question = row.text("question");
  item.options = python_list(row.text("options"), row.where());
  VL3_CHECK(item.options.size() <= 26, kCorrupt, "{}: {} options", row.where(), item.options.size());
  item.ground_truth = row.text("answer");
}

Dataset load_mmmu(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const char* subject : kSubjects) {
    for (const fs::path& path : find_parts(root / subject, "validation-", ".parquet")) {
      const auto file = std::make_shared<const ParquetFile>(path);
      const std::vector<Json> rows = file->rows();
      for (size_t i = 0; i < rows.size(); ++i) {
        const Row row(rows[i], path, i);
        Item item;
        item.id = row.text("id");
        if (!contains(row.text("id"), "validation")) continue;
        item.task_types = {subject};
        read_options(item, row);
        const bool open = row.text("question_type") == "open";
        if (open) item.options.clear();
        const std::string text =
            open ? item.question + "\n\nAnswer the question using a single word or phrase."
                 : item.question + "\n\n" + lettered(item.options) +
                       "\n\nAnswer with the option's letter from the given choices directly.";
        place_pictures(item, text, row, file, i);
        items.push_back(std::move(item));
      }
    }
  }
  return make_dataset(std::move(items));
}

Dataset load_mmmu_pro(const fs::path& root, Defects) {
  std::vector<Item> items;
  for (const fs::path& path : find_parts(root / "standard", "test-", ".parquet")) {
    const auto file = std::make_shared<const ParquetFile>(path);
    const std::vector<Json> rows = file->rows();
    for (size_t i = 0; i < rows.size(); ++i) {
      const Row row(rows[i], path, i);
      Item item;
      item.id = row.text("id");
      item.task_types = {row.text("subject")};
      read_options(item, row);
      place_pictures(item,
                     item.question + "\n" + lettered(item.options) +
                         "\nAnswer with the option letter from the given choices directly.",
                     row, file, i);
      items.push_back(std::move(item));
    }
  }
  return make_dataset(std::move(items));
}

/// What stands in the first \boxed{…}, up to its first closing brace.
std::optional<std::string> boxed(const std::string& response) {
  constexpr std::string_view kOpen = "\\boxed{";
  const size_t open = response.find(kOpen);
  if (open == std::string::npos) return std::nullopt;
  const size_t close = response.find('}', open);
  if (close == std::string::npos) return std::nullopt;
  return response.substr(open + kOpen.size(), close - open - kOpen.size());
}

/// Of the options whose mark occurs, the one whose last occurrence comes last.
std::optional<size_t> latest(const std::string& text, const std::vector<std::string>& marks) {
  std::optional<size_t> best;
  size_t best_at = 0;
  for (size_t i = 0; i < marks.size(); ++i) {
    const size_t at = text.rfind(marks[i]);
    if (at == std::string::npos || (best && at <= best_at)) continue;
    best = i;
    best_at = at;
  }
  return best;
}

/// "(X)", else " X ", else the text of an option in more than five words.
std::optional<size_t> find_option(const std::string& response, const std::vector<std::string>& options) {
  std::string text = response;
  for (const char* mark : {",", ".", "!", "?", ";", ":", "'"}) text = strip(text, mark);
  text = fmt::format(" {} ", text);
  std::vector<std::string> bracketed, spaced, texts;
  for (size_t i = 0; i < options.size(); ++i) {
    bracketed.push_back(fmt::format("({})", letter(i)));
    spaced.push_back(fmt::format(" {} ", letter(i)));
    texts.push_back(lower(options[i]));
  }
  if (const auto found = latest(text, bracketed)) return found;
  if (const auto found = latest(text, spaced)) return found;
  if (split_words(text).size() > 5) return latest(lower(text), texts);
  return std::nullopt;
}

Verdict score(const Item& item, const std::string& response, const Scoring&) {
  if (const auto content = boxed(response)) return exact(*content, item);
  if (item.options.empty()) return exact(response, item);
  const auto found = find_option(response, item.options);
  // DIFFERS: the official code draws a letter at random here.
  return found ? exact(letter(*found), item) : no_answer("no option letter and no option's text");
}

Benchmark subjects(const char* name) {
  Benchmark benchmark;
  benchmark.name = name;
  benchmark.score = score;
  benchmark.metrics = by_task;
  benchmark.headline = {"Overall"};
  return benchmark;
}

}  // namespace

Benchmark mmmu() {
  Benchmark benchmark = subjects("MMMU");
  benchmark.load = load_mmmu;
  benchmark.paper = {{"MMMU val", {"Overall"}, 45.3, 48.8, "43.6 InternVL2.5", "56.0 InternVL2.5"}};
  return benchmark;
}

Benchmark mmmu_pro() {
  Benchmark benchmark = subjects("MMMU_Pro");
  benchmark.load = load_mmmu_pro;
  benchmark.paper = {{"MMMU-Pro", {"Overall"}, 28.6, 33.6, "26.0 Qwen2-VL", "34.3 InternVL2.5"}};
  return benchmark;
}

}  // namespace vl3::eval
