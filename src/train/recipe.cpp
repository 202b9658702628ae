#include "train/recipe.h"

#include <fmt/format.h>

#include <map>

#include "core/check.h"
#include "core/file.h"
#include "core/recipe_reader.h"
#include "train/recipe_fields.h"
#include "train/recipe_text.h"

namespace vl3::train {

TrainConfig parse_recipe(std::string_view toml, const std::string& where,
                         const std::vector<std::string>& set) {
  const recipe::Source source = recipe::parse_source(toml, where, set);
  const recipe::SetTexts& texts = source.set;
  TrainConfig config;
  recipe::Reader reader(source, known_keys(), "docs/guides/training.md");
  reader.read(&config, [](auto& visitor, TrainConfig& all) { visit_recipe(visitor, all); });

  const bool both = reader.given("global_batch_size") && config.global_batch_tokens.has_value();
  VL3_CHECK(!both || texts.count("global_batch_size") != texts.count("global_batch_tokens"), kInvalidArgument,
            "{}: global_batch_size {} and global_batch_tokens {} are both given; give one", where,
            config.global_batch_size, *config.global_batch_tokens);
  if (both && texts.count("global_batch_size") > 0) config.global_batch_tokens.reset();
  if (config.name.empty()) config.name = std::filesystem::path(where).stem().string();
  if (config.output.empty()) config.output = (std::filesystem::path("runs") / config.name).string();
  check_recipe(config, where);
  return config;
}

TrainConfig load_recipe(const std::filesystem::path& file, const std::vector<std::string>& set) {
  return parse_recipe(read_file(file, recipe::kMaxRecipeBytes), file.string(), set);
}

std::string recipe_toml(const TrainConfig& config) { return recipe::lines_toml(recipe_lines(config)); }

std::string numbers_toml(const TrainConfig& config) {
  std::string text;
  for (const RecipeLine& line : recipe_lines(config)) {
    if (line.changes_numbers || line.key == "save_steps")
      text += fmt::format("{} = {}\n", line.key, line.value.empty() ? "none" : line.value);
  }
  return text;
}

std::vector<std::string> changed_keys(const TrainConfig& before, const TrainConfig& after) {
  std::map<std::string, std::pair<std::string, std::string>> values;
  for (const RecipeLine& line : recipe_lines(before)) {
    if (line.changes_numbers) values[line.key].first = line.value;
  }
  for (const RecipeLine& line : recipe_lines(after)) {
    if (line.changes_numbers) values[line.key].second = line.value;
  }
  const auto said = [](const std::string& value) { return value.empty() ? std::string("none") : value; };
  std::vector<std::string> changed;
  for (const auto& [key, pair] : values) {
    if (said(pair.first) == said(pair.second)) continue;
    changed.push_back(fmt::format("{}: {} -> {}", key, said(pair.first), said(pair.second)));
  }
  return changed;
}

}  // namespace vl3::train
