#include "train/recipe_text.h"

#include "train/recipe_fields.h"

namespace vl3::train {

std::vector<RecipeLine> recipe_lines(const TrainConfig& config) { return recipe::lines_of(config); }

std::vector<std::string> known_keys() {
  TrainConfig all;
  all.lora.emplace();
  all.data.sources.emplace_back();
  return recipe::keys_of(all);
}

}  // namespace vl3::train
