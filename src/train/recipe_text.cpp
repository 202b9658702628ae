#include "train/recipe_text.h"

#include "train/recipe_fields.h"

namespace vl3::train {

std::vector<RecipeLine> recipe_lines(const TrainConfig& config) {
  TrainConfig copy = config;  // the table hands out mutable members
  recipe::Lines lines;
  visit_recipe(lines, copy);
  return std::move(lines.lines);
}

std::vector<std::string> known_keys() {
  TrainConfig all;
  all.lora.emplace();
  all.data.sources.emplace_back();
  std::vector<std::string> keys;
  for (const RecipeLine& line : recipe_lines(all)) keys.push_back(line.key);
  return keys;
}

}  // namespace vl3::train
