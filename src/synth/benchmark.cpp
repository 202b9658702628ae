#include "synth/benchmark.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include "core/check.h"
#include "core/file.h"
#include "synth/captions.h"
#include "synth/facts_json.h"
#include "synth/official_files.h"
#include "weights/staged_folder.h"

namespace vl3::synth {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxFile = 4ull << 30;
constexpr double kEnoughOverlap = 0.5;

template <typename Line>
void each_line(const fs::path& path, Line line) {
  const std::string text = read_file(path, kMaxFile);
  int number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    if (text.find_first_not_of(" \t\r", at) < end) {
      const std::string where = fmt::format("{}: line {}", path.string(), number);
      line(parse_json(std::string_view(text).substr(at, end - at), where), where);
    }
    at = end + 1;
  }
}

std::vector<std::string> strings_of(const JsonView& view, const char* key) {
  std::vector<std::string> values;
  if (!view.has(key)) return values;
  const Json& list = view.at(key);
  VL3_CHECK(list.is_array(), kCorrupt, "{}: {}: expected a list of texts", view.where(), key);
  for (const Json& value : list) {
    VL3_CHECK(value.is_string(), kCorrupt, "{}: {}: expected texts, found {}", view.where(), key,
              value.dump());
    values.push_back(value.get<std::string>());
  }
  return values;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

OrderedJson score_json(const KindScore& score) {
  const Interval interval = wilson(score.right, score.items);
  OrderedJson json{{"items", score.items},      {"right", score.right}, {"missing", score.missing},
                   {"accuracy", score.share()}, {"low", interval.low},  {"high", interval.high},
                   {"chance", score.chance}};
  if (score.spans) json["mean_iou"] = score.iou;
  return json;
}

void add(KindScore& score, const BenchmarkItem& item, bool answered, bool right, double iou) {
  // Sums now, means at the end.
  ++score.items;
  score.right += right ? 1 : 0;
  score.missing += answered ? 0 : 1;
  score.iou += iou;
  score.chance += item.options.size() > 1 ? 1.0 / static_cast<double>(item.options.size()) : 0;
  score.spans = score.spans || item.form == AnswerForm::kSpan;
}

void finish(KindScore& score) {
  if (score.items == 0) return;
  score.iou /= static_cast<double>(score.items);
  score.chance /= static_cast<double>(score.items);
}

}  // namespace

void write_benchmark(const SynthOptions& options, const BenchmarkOptions& write, const Progress& progress) {
  VL3_CHECK(write.per_kind >= 1, kInvalidArgument, "per_kind: {} is below 1", write.per_kind);
  SynthOptions own = options_for_files(options, write.video, write.file_fps);
  own.questions_per_medium = 1;
  const Generator generator(own);
  weights::StagedFolder folder(write.out);
  fs::create_directory(folder.path() / "media");
  AtomicFile items(folder.path() / "benchmark.jsonl"), annotations(folder.path() / "annotations.jsonl");
  const auto append = [](AtomicFile& file, const OrderedJson& json) {
    const std::string line = json.dump() + "\n";
    file.append(line.data(), line.size());
  };
  uint64_t written = 0, total = 0;
  const auto& draws = generator.draws();
  for (size_t i = 0; i < draws.size(); ++i) {
    if ((i == 0 || draws[i].kind != draws[i - 1].kind) && draws[i].family->type != MediaType::kStream)
      total += static_cast<uint64_t>(write.per_kind);
  }
  for (size_t first = 0; first < draws.size();) {  // the draws of one kind stand together, by level
    size_t last = first;
    while (last < draws.size() && draws[last].kind == draws[first].kind) ++last;
    const Family& family = *draws[first].family;
    for (int i = 0; i < write.per_kind && family.type != MediaType::kStream; ++i) {
      const Generator::Draw& draw = draws[first + static_cast<size_t>(i) % (last - first)];
      const std::string kind = fmt::format("{}.{}", family.name, draw.kind->name);
      const std::string level(family.levels[static_cast<size_t>(draw.level)].name);
      const Sample sample = generator.sample(kind, level, static_cast<uint64_t>(i));
      const Question& question = sample.questions.front();
      const std::vector<std::string> media =
          write_media(sample, folder.path(), fmt::format("{}-{:05}", kind, i), write.video);
      OrderedJson line{{"id", sample.id},
                       {"kind", kind},
                       {"level", level},
                       {"media_type", name_of(sample.type)},
                       {"media", media}};
      line.update(to_json(question));
      Facts facts = sample.facts;
      if (sample.type == MediaType::kVideo)
        facts.images.clear();  // objects and events say all that is judged
      line["facts"] = to_json(facts);
      append(items, line);
      append(annotations, annotations_of(sample, media, false).front());
      if (progress) progress(++written, total);
    }
    first = last;
  }
  items.commit();
  annotations.commit();
  write_file_atomically(folder.path() / "manifest.json", manifest_of(own).dump(2) + "\n");
  if (write.official) write_official_files(folder.path(), read_benchmark(folder.path()));
  folder.commit();
}

std::vector<BenchmarkItem> read_benchmark(const fs::path& folder) {
  std::vector<BenchmarkItem> items;
  each_line(folder / "benchmark.jsonl", [&](const Json& json, const std::string& where) {
    const JsonView view(json, where);
    BenchmarkItem item{view.string("id"),
                       view.string("kind"),
                       view.string("level"),
                       media_type_of(view.string("media_type")),
                       strings_of(view, "media"),
                       view.string("question"),
                       view.string("answer"),
                       strings_of(view, "accepted"),
                       strings_of(view, "options"),
                       answer_form_of(view.string("form")),
                       {}};
    if (view.has("facts")) item.facts = facts_from_json(view.at("facts"), where + ": facts");
    items.push_back(std::move(item));
  });
  return items;
}

Interval wilson(int64_t right, int64_t items) {
  if (items == 0) return {};
  constexpr double z = 1.959963984540054;
  const double n = static_cast<double>(items), p = static_cast<double>(right) / n;
  const double centre = p + z * z / (2 * n), spread = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, (centre - spread) / (1 + z * z / n)),
          std::min(1.0, (centre + spread) / (1 + z * z / n))};
}

std::string normalise_answer(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // "4.50" and "12:30" are numbers; other marks only part words.
    const bool inside = (c == '.' || c == ':') && i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) &&
                        is_digit(text[i + 1]);
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || inside || static_cast<unsigned char>(c) >= 0x80)
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c != '\'')
      plain += ' ';
  }
  std::istringstream stream(plain);
  std::string result;
  for (std::string word; stream >> word;) {
    if (word == "a" && result.empty() && stream.peek() == EOF) {
      // the letter alone is an answer ("Which bar is the highest?")
    } else if (word == "a" || word == "an" || word == "the") {
      continue;
    }
    if (word == "grey")
      word = "gray";
    else if (word == "colour")
      word = "color";
    else if (word == "centre")
      word = "center";
    for (int number = 0; number <= kMaxNumber; ++number) {
      if (word == number_word(number)) word = std::to_string(number);
    }
    result += (result.empty() ? "" : " ") + word;
  }
  return result;
}

std::optional<std::pair<double, double>> parse_span(const std::string& text) {
  std::vector<double> numbers;
  for (size_t i = 0; i < text.size() && numbers.size() < 2;) {
    if (!is_digit(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) {
      ++end;
      while (end < text.size() && is_digit(text[end])) ++end;
    }
    numbers.push_back(end - i < 18 ? std::stod(text.substr(i, end - i)) : 1e18);
    i = end;
  }
  if (numbers.size() < 2) return std::nullopt;
  return std::pair{std::min(numbers[0], numbers[1]), std::max(numbers[0], numbers[1])};
}

double span_iou(std::pair<double, double> a, std::pair<double, double> b) {
  const double overlap = std::max(0.0, std::min(a.second, b.second) - std::max(a.first, b.first));
  const double both = (a.second - a.first) + (b.second - b.first) - overlap;
  return both > 0 ? overlap / both : 0;
}

namespace {

double iou_of(const BenchmarkItem& item, const std::string& prediction) {
  const auto wanted = parse_span(item.answer), found = parse_span(prediction);
  return wanted && found ? span_iou(*wanted, *found) : 0;
}

}  // namespace

bool is_right(const BenchmarkItem& item, const std::string& prediction) {
  if (item.form == AnswerForm::kSpan) return iou_of(item, prediction) >= kEnoughOverlap;
  if (item.form == AnswerForm::kCaption) return caption_is_right(prediction, item.facts, item.media_type);
  const std::string found = normalise_answer(prediction);
  if (found == normalise_answer(item.answer)) return true;
  return std::any_of(item.accepted.begin(), item.accepted.end(),
                     [&](const std::string& answer) { return found == normalise_answer(answer); });
}

Scores score(const std::vector<BenchmarkItem>& benchmark,
             const std::map<std::string, std::string>& predictions) {
  Scores scores;
  size_t used = 0;
  for (const BenchmarkItem& item : benchmark) {
    const auto found = predictions.find(item.id);
    const bool answered = found != predictions.end();
    used += answered ? 1 : 0;
    const bool right = answered && is_right(item, found->second);
    const double iou = answered && item.form == AnswerForm::kSpan ? iou_of(item, found->second) : 0;
    for (KindScore* score : {&scores.all, &scores.kinds[item.kind], &scores.levels[item.kind][item.level]})
      add(*score, item, answered, right, iou);
  }
  if (used != predictions.size()) {
    for (const auto& [id, answer] : predictions) {
      const bool known = std::any_of(benchmark.begin(), benchmark.end(),
                                     [&id = id](const BenchmarkItem& item) { return item.id == id; });
      VL3_CHECK(known, kInvalidArgument,
                "prediction for \"{}\", which is not in the benchmark: was it made for another one?", id);
    }
    VL3_FAIL(kInvalidArgument, "the benchmark has an id twice");
  }
  finish(scores.all);
  scores.all.spans = false;
  for (auto& [kind, score] : scores.kinds) finish(score);
  for (auto& [kind, levels] : scores.levels) {
    for (auto& [level, score] : levels) finish(score);
  }
  return scores;
}

std::map<std::string, std::string> read_predictions(const fs::path& path) {
  std::map<std::string, std::string> predictions;
  each_line(path, [&](const Json& json, const std::string& where) {
    const JsonView view(json, where);
    const std::string id = view.string("id");
    VL3_CHECK(predictions.emplace(id, view.string("prediction")).second, kCorrupt,
              "{}: \"{}\" is there twice", where, id);
  });
  return predictions;
}

OrderedJson to_json(const Scores& scores) {
  OrderedJson json{{"all", score_json(scores.all)}, {"kinds", OrderedJson::object()}};
  for (const auto& [kind, score] : scores.kinds) {
    json["kinds"][kind] = score_json(score);
    for (const auto& [level, own] : scores.levels.at(kind))
      json["kinds"][kind]["levels"][level] = score_json(own);
  }
  return json;
}

std::string table_of(const Scores& scores) {
  std::string table = fmt::format("{:<24}{:>7}{:>8}{:>16}{:>9}{:>7}{:>9}\n", "kind", "items", "right %",
                                  "95 % interval", "chance %", "IoU", "missing");
  const auto row = [&](const std::string& name, const KindScore& score) {
    const Interval interval = wilson(score.right, score.items);
    table +=
        fmt::format("{:<24}{:>7}{:>8.1f}{:>16}{:>9.1f}{:>7}{:>9}\n", name, score.items, 100 * score.share(),
                    fmt::format("{:.1f} - {:.1f}", 100 * interval.low, 100 * interval.high),
                    100 * score.chance, score.spans ? fmt::format("{:.2f}", score.iou) : "",
                    score.missing > 0 ? std::to_string(score.missing) : "");
  };
  for (const auto& [kind, score] : scores.kinds) row(kind, score);
  row("all", scores.all);
  return table;
}

}  // namespace vl3::synth
