// Walking over samples of every kind and level; messages that say something.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "synth/generator.h"

namespace vl3::test {

inline testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << text << "\" does not say \"" << part << "\"";
}

/// Calls `look` with `count` samples of each kind at each level of the mixture. Long clips are left out
/// unless `with_long` is set: one of them weighs as much as a hundred others.
inline void walk(const synth::SynthOptions& options, uint64_t count,
                 const std::function<void(const synth::Sample&)>& look, bool with_long = false) {
  const synth::Generator generator(options);
  for (const auto& draw : generator.draws()) {
    const std::string kind = fmt::format("{}.{}", draw.family->name, draw.kind->name);
    const std::string level(draw.family->levels[static_cast<size_t>(draw.level)].name);
    if (!with_long && (draw.family->name == "long" || level == "f32")) continue;
    for (uint64_t i = 0; i < count; ++i) look(generator.sample(kind, level, i));
  }
}

}  // namespace vl3::test
