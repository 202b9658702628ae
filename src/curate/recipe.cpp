#include "curate/recipe.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/check.h"
#include "core/file.h"
#include "core/recipe_reader.h"
#include "curate/recipe_fields.h"
#include "curate/text_measures.h"

namespace vl3::curate {
namespace {

// What rows hold besides scores from outside: their names are taken.
constexpr const char* kBuiltIn[] = {"width",
                                    "height",
                                    "aspect",
                                    "bytes",
                                    "contrast",
                                    "entropy",
                                    "sharpness",
                                    "blur",
                                    "exposure",
                                    "dark_share",
                                    "bright_share",
                                    "duration_s",
                                    "cuts",
                                    "static_share",
                                    "motion",
                                    "clip_motion",
                                    "caption_chars",
                                    "caption_words",
                                    "caption_symbols",
                                    "caption_gain",
                                    "caption_repetition",
                                    "caption_controls",
                                    "caption_media_tag"};

std::vector<std::string> known_keys() {
  CurateConfig all;
  all.scorers.emplace_back();
  return recipe::keys_of(all);
}

void check_normalisation(const ScorerConfig& scorer, const std::string& where) {
  VL3_CHECK(scorer.mean.size() == 3 && scorer.std.size() == 3, kInvalidArgument,
            "{}: scorer \"{}\": mean and std have three values each", where, scorer.name);
  for (const auto* values : {&scorer.mean, &scorer.std}) {
    const bool divides = values == &scorer.std;
    for (const std::string& text : *values) {
      char* end = nullptr;
      const double value = std::strtod(text.c_str(), &end);
      VL3_CHECK(!text.empty() && *end == '\0' && std::isfinite(value) && (!divides || value > 0),
                kInvalidArgument, "{}: scorer \"{}\": {} has \"{}\"; expected {}", where, scorer.name,
                divides ? "std" : "mean", text, divides ? "numbers above 0" : "numbers");
    }
  }
}

void check_scorers(const CurateConfig& config, const std::string& where) {
  VL3_CHECK(config.scorers.size() <= kMaxScorers, kInvalidArgument, "{}: {} scorers; at most {}", where,
            config.scorers.size(), kMaxScorers);
  std::set<std::string> names;
  for (const ScorerConfig& scorer : config.scorers) {
    VL3_CHECK(!scorer.name.empty(), kInvalidArgument, "{}: an entry of scorers has no name", where);
    VL3_CHECK(names.insert(scorer.name).second, kInvalidArgument, "{}: two scorers are called \"{}\"", where,
              scorer.name);
    VL3_CHECK(std::find(std::begin(kBuiltIn), std::end(kBuiltIn), scorer.name) == std::end(kBuiltIn),
              kInvalidArgument, "{}: a scorer is called \"{}\", as a built-in score is: give it another name",
              where, scorer.name);
    VL3_CHECK(scorer.name.find_first_of("\n\r") == std::string::npos, kInvalidArgument,
              "{}: a scorer's name has a line feed", where);
    VL3_CHECK(scorer.kind == "column" || !scorer.path.empty(), kInvalidArgument,
              "{}: scorer \"{}\" of kind {} names no file: give its path", where, scorer.name, scorer.kind);
    VL3_CHECK(!scorer.min || !scorer.max || *scorer.min <= *scorer.max, kInvalidArgument,
              "{}: scorer \"{}\": min {} is above max {}: nothing would be kept", where, scorer.name,
              scorer.min.value_or(0), scorer.max.value_or(0));
    check_normalisation(scorer, where);
  }
}

void check_recipe(const CurateConfig& config, const std::string& where) {
  VL3_CHECK(!config.input.path.empty(), kInvalidArgument, "{}: nothing to curate: give input.path (--input)",
            where);
  VL3_CHECK(!config.output.empty(), kInvalidArgument, "{}: give the output folder (--output)", where);
  const bool model = config.model != "none";
  VL3_CHECK(model || config.features == "layout", kInvalidArgument,
            "{}: features = \"encoder\" needs a model", where);
  VL3_CHECK(model || !config.similarity.min_gain, kInvalidArgument, "{}: similarity.min_gain needs a model",
            where);
  const bool captions = config.caption.short_caption || config.caption.detailed_caption;
  VL3_CHECK(model || !captions, kInvalidArgument, "{}: new captions need a model", where);
  VL3_CHECK(config.exports.caption != "short" || config.caption.short_caption, kInvalidArgument,
            "{}: export.caption = \"short\" needs caption.short_caption = true", where);
  VL3_CHECK(config.exports.caption != "detailed" || config.caption.detailed_caption, kInvalidArgument,
            "{}: export.caption = \"detailed\" needs caption.detailed_caption = true", where);
  VL3_CHECK(config.video.min_clip_s <= config.video.max_clip_s, kInvalidArgument,
            "{}: video.min_clip_s {} is above video.max_clip_s {}", where, config.video.min_clip_s,
            config.video.max_clip_s);
  VL3_CHECK(config.text.min_chars <= config.text.max_chars, kInvalidArgument,
            "{}: text.min_chars {} is above text.max_chars {}", where, config.text.min_chars,
            config.text.max_chars);
  VL3_CHECK(!measure_text(config.exports.prompt).has_media_tag, kInvalidArgument,
            "{}: export.prompt has a media tag; the medium's own is written before it", where);
  check_scorers(config, where);
}

// One spelling a place, so that "./a" and "a" are the same. What is no path stays as it is.
std::string canonical(const std::string& path) {
  std::error_code error;
  if (path.empty() || !std::filesystem::exists(path, error)) return path;
  const std::filesystem::path found = std::filesystem::canonical(path, error);
  return error ? path : found.string();
}

std::string joined(const std::vector<std::string>& values) {
  return fmt::format("{}", fmt::join(values, " "));
}

bool under(const std::string& key, std::initializer_list<const char*> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&key](const char* prefix) { return key.starts_with(prefix); });
}

}  // namespace

CurateConfig parse_recipe(std::string_view toml, const std::string& where,
                          const std::vector<std::string>& set) {
  const recipe::Source source = recipe::parse_source(toml, where, set);
  CurateConfig config;
  recipe::Reader reader(source, known_keys(), "docs/guides/curate.md");
  reader.read(&config, [](auto& visitor, CurateConfig& all) { visit_recipe(visitor, all); });
  if (config.name.empty()) config.name = std::filesystem::path(where).stem().string();
  check_recipe(config, where);
  return config;
}

CurateConfig load_recipe(const std::string& file, const std::vector<std::string>& set) {
  if (file.empty()) return parse_recipe("", "curate", set);
  return parse_recipe(read_file(file, recipe::kMaxRecipeBytes), file, set);
}

std::string recipe_toml(const CurateConfig& config) { return recipe::lines_toml(recipe::lines_of(config)); }

std::vector<std::string> scoring_keys(const CurateConfig& config) {
  std::vector<std::string> keys;
  for (const recipe::RecipeLine& line : recipe::lines_of(config)) {
    const bool apart =
        line.key == "seed" || line.key == "model" || line.key == "dtype" || line.key == "features";
    if (!line.changes_numbers || apart || under(line.key, {"input.path", "input.data_root", "scorers."}))
      continue;
    keys.push_back(line.key + " = " + line.value);
  }
  const std::string model = recipe::toml_quoted(canonical(config.model)) + " " + config.dtype;
  const bool encoder = config.features == "encoder";
  keys.push_back("features = " + (encoder ? "encoder of " + model : config.features));
  // A checkpoint that gives features judges captions too.
  if (encoder || config.similarity.min_gain) keys.push_back("caption_gain = " + model);
  for (const ScorerConfig& scorer : config.scorers) {
    if (scorer.kind == "column") continue;
    keys.push_back(fmt::format("scorers.{} = {} {} side {} mean {} std {}", scorer.name, scorer.kind,
                               recipe::toml_quoted(canonical(scorer.path)), scorer.side, joined(scorer.mean),
                               joined(scorer.std)));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<std::string> selection_keys(const CurateConfig& config) {
  std::vector<std::string> keys;
  for (const recipe::RecipeLine& line : recipe::lines_of(config)) {
    const bool apart = line.key == "name" || line.key == "output" || line.key == "workers" ||
                       line.key == "device" || line.key == "model" || line.key == "dtype";
    if (!apart && !under(line.key, {"input.", "caption.", "export."}))
      keys.push_back(line.key + " = " + line.value);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace vl3::curate
