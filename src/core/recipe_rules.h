// What a recipe's key may be: the words in which tables of keys (train/recipe_fields.h,
// curate/recipe_fields.h) are written. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vl3::recipe {

inline constexpr uint64_t kMaxRecipeBytes = 1ull << 20;

/// Whether another value gives another run, or only handles the same one differently.
enum class Effect { kNumbers, kHandling };

struct Range {
  double low = 0, high = 0;
  bool with_low = true;
  Effect effect = Effect::kNumbers;
};

struct Text {
  std::vector<std::string> choices = {};  ///< empty: any text
  Effect effect = Effect::kNumbers;
};

struct Flag {
  Effect effect = Effect::kNumbers;
};

inline constexpr double kBig = 1e15;  // far above any count, exactly a double

}  // namespace vl3::recipe
