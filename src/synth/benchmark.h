// A fixed test set of generated items, and the scores of a model's answers to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "synth/options.h"
#include "synth/sample.h"
#include "synth/writer.h"

namespace vl3::synth {

struct BenchmarkOptions {
  std::filesystem::path out;  ///< a new or empty folder
  int per_kind = 100;         ///< items a kind, spread evenly over its levels; every item has its own medium
  VideoFiles video = VideoFiles::kH264;
  std::optional<double> file_fps = std::nullopt;  ///< as WriteOptions::file_fps
  bool official = false;                          ///< write_official_files(), too
};

/// Writes benchmark.jsonl (id, kind, level, media_type, media, question, answer, accepted, options, form,
/// query, facts), annotations.jsonl in the official format with the same ids, media/ and manifest.json.
/// Narration (stream.*) has no question to be scored and is left out.
/// @param options  its mixture names the kinds and levels; empty: all
void write_benchmark(const SynthOptions& options, const BenchmarkOptions& write,
                     const Progress& progress = {});

struct BenchmarkItem {
  std::string id, kind, level;
  MediaType media_type = MediaType::kText;
  std::vector<std::string> media;  ///< relative to the benchmark's folder
  std::string question, answer;
  std::vector<std::string> accepted, options;
  AnswerForm form = AnswerForm::kExact;
  Facts facts;
};

/// @throws Error(kNotFound), Error(kCorrupt) naming the line.
std::vector<BenchmarkItem> read_benchmark(const std::filesystem::path& folder);

struct KindScore {
  int64_t items = 0, right = 0, missing = 0;
  double iou = 0;     ///< mean, spans only
  double chance = 0;  ///< of guessing among the options; 0 for open answers
  bool spans = false;

  double share() const { return items == 0 ? 0 : static_cast<double>(right) / static_cast<double>(items); }
};

/// Wilson's 95 % interval of a share.
struct Interval {
  double low = 0, high = 1;
};
Interval wilson(int64_t right, int64_t items);

struct Scores {
  std::map<std::string, KindScore> kinds;                          ///< by kind
  std::map<std::string, std::map<std::string, KindScore>> levels;  ///< by kind, then level
  KindScore all;
};

/// Answers by id. @throws Error(kInvalidArgument) for an id that is not in the benchmark.
Scores score(const std::vector<BenchmarkItem>& benchmark,
             const std::map<std::string, std::string>& predictions);

/// Lines of {"id": …, "prediction": …}. @throws Error(kCorrupt) naming the line; ids must not come twice.
std::map<std::string, std::string> read_predictions(const std::filesystem::path& path);

OrderedJson to_json(const Scores& scores);
std::string table_of(const Scores& scores);

// How one answer is judged.

/// Lower case, American spelling, number words as digits, without articles, punctuation and outer spaces.
std::string normalise_answer(const std::string& text);
/// The first two numbers of the text in seconds; nothing when there are fewer.
std::optional<std::pair<double, double>> parse_span(const std::string& text);
/// Overlap over union; 0 when either is empty.
double span_iou(std::pair<double, double> a, std::pair<double, double> b);
bool is_right(const BenchmarkItem& item, const std::string& prediction);

}  // namespace vl3::synth
