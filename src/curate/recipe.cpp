#include "curate/recipe.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/check.h"
#include "core/file.h"
#include "core/recipe_reader.h"
#include "curate/recipe_fields.h"

namespace vl3::curate {
namespace {

std::vector<std::string> known_keys() {
  CurateConfig all;
  all.scorers.emplace_back();
  return recipe::keys_of(all);
}

void check_scorers(const CurateConfig& config, const std::string& where) {
  std::set<std::string> names;
  for (const ScorerConfig& scorer : config.scorers) {
    VL3_CHECK(!scorer.name.empty(), kInvalidArgument, "{}: an entry of scorers has no name", where);
    VL3_CHECK(names.insert(scorer.name).second, kInvalidArgument, "{}: two scorers are called \"{}\"", where,
              scorer.name);
    VL3_CHECK(scorer.kind == "column" || !scorer.path.empty(), kInvalidArgument,
              "{}: scorer \"{}\" of kind {} names no file: give its path", where, scorer.name, scorer.kind);
    VL3_CHECK(scorer.mean.size() == 3 && scorer.std.size() == 3, kInvalidArgument,
              "{}: scorer \"{}\": mean and std have three values each", where, scorer.name);
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
  check_scorers(config, where);
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
    if (line.changes_numbers) keys.push_back(line.key + " = " + line.value);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace vl3::curate
