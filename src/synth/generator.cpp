#include "synth/generator.h"

#include <algorithm>

#include "core/check.h"

namespace vl3::synth {
namespace {

// An entry's kinds: "all", "scene", "scene.*", "scene.colour".
std::vector<std::pair<const Family*, const Kind*>> kinds_of(const std::string& name) {
  std::vector<std::pair<const Family*, const Kind*>> kinds;
  if (name == "all") {
    for (const Family& family : families()) {
      for (const Kind& kind : family.kinds) kinds.emplace_back(&family, &kind);
    }
    return kinds;
  }
  const size_t dot = name.find('.');
  const Family& family = family_named(name.substr(0, dot));
  if (dot == std::string::npos || name.substr(dot + 1) == "*") {
    for (const Kind& kind : family.kinds) kinds.emplace_back(&family, &kind);
  } else {
    kinds.emplace_back(&family, &kind_named(family, name.substr(dot + 1)));
  }
  return kinds;
}

}  // namespace

std::vector<Generator::Draw> expand_mixture(const std::vector<MixtureEntry>& mixture) {
  std::vector<Generator::Draw> draws;
  for (const MixtureEntry& entry : mixture) {
    std::vector<Generator::Draw> own;
    for (const auto& [family, kind] : kinds_of(entry.kind)) {
      const bool all_levels = entry.levels.empty();
      std::vector<int> levels;
      for (const std::string& name : entry.levels) levels.push_back(level_named(*family, name));
      for (int level = kind->first_level; level <= kind->last_level; ++level) {
        if (all_levels || std::find(levels.begin(), levels.end(), level) != levels.end())
          own.push_back({family, kind, level, 0, 0, 0});
      }
    }
    VL3_CHECK(!own.empty(), kInvalidArgument, "mixture: {} cannot be asked at level {}", entry.kind,
              fmt::join(entry.levels, ", "));
    for (Generator::Draw& draw : own) {
      draw.weight = entry.weight / static_cast<double>(own.size());
      draw.from = entry.from;
      draw.to = entry.to;
    }
    draws.insert(draws.end(), own.begin(), own.end());
  }
  return draws;
}

Generator::Generator(SynthOptions options) : options_(std::move(options)) {
  check(options_);
  draws_ = expand_mixture(options_.mixture.empty() ? std::vector<MixtureEntry>{{"all", {}, 1.0}}
                                                   : options_.mixture);
  VL3_CHECK(std::ranges::any_of(draws_, [](const Draw& draw) { return draw.weight > 0; }), kInvalidArgument,
            "mixture: no weight is above 0");
}

Sample Generator::sample(uint64_t index) const {
  Rng rng(mix(mix(options_.seed, static_cast<uint64_t>(options_.split)), index));
  double total = 0;
  for (const Draw& draw : draws_) total += draw.active(index) ? draw.weight : 0;
  VL3_CHECK(total > 0, kInvalidArgument, "mixture: nothing is to be drawn at sample {}: look at from and to",
            index);
  double at = rng.real() * total;
  const Draw* last = nullptr;
  for (const Draw& draw : draws_) {
    if (!draw.active(index) || draw.weight == 0) continue;
    last = &draw;
    at -= draw.weight;
    if (at < 0) break;
  }
  return make(*last, index);
}

Sample Generator::sample(const std::string& kind, const std::string& level, uint64_t index) const {
  const size_t dot = kind.find('.');
  const Family& family = family_named(kind.substr(0, dot));
  VL3_CHECK(dot != std::string::npos, kInvalidArgument, "\"{}\": name a kind, as {}.{}", kind, family.name,
            family.kinds[0].name);
  const Kind& found = kind_named(family, kind.substr(dot + 1));
  const int index_of_level = level_named(family, level);
  VL3_CHECK(index_of_level >= found.first_level && index_of_level <= found.last_level, kInvalidArgument,
            "\"{}\" cannot be asked at level {}; from {} to {}", kind, level,
            family.levels[static_cast<size_t>(found.first_level)].name,
            family.levels[static_cast<size_t>(found.last_level)].name);
  return make({&family, &found, index_of_level, 1, 0, 0}, index);
}

Sample Generator::make(const Draw& draw, uint64_t index) const {
  const Family& family = *draw.family;
  const std::string kind = fmt::format("{}.{}", family.name, draw.kind->name);
  const std::string level(family.levels[static_cast<size_t>(draw.level)].name);
  Rng rng(mix(
      mix(mix(hash_text(kind), hash_text(level)), mix(options_.seed, static_cast<uint64_t>(options_.split))),
      index));

  // The further kinds: those of the mixture that share family and level, in random order, some twice.
  std::vector<const Kind*> others;
  for (const Draw& other : draws_) {
    if (other.family == draw.family && other.level == draw.level && other.weight > 0 && other.active(index))
      others.push_back(other.kind);
  }
  rng.shuffle(others);
  Request request{options_, draw.level, {draw.kind}};
  request.kinds.insert(request.kinds.end(), others.begin(), others.end());
  request.kinds.insert(request.kinds.end(), others.begin(), others.end());

  for (int attempt = 0; attempt < 400; ++attempt) {
    Sample sample;
    sample.type = family.type;
    sample.fps = options_.fps;
    if (!family.make(rng, request, sample)) continue;
    sample.id =
        fmt::format("synth-{}-{}-{}-{}-{}", name_of(options_.split), options_.seed, kind, level, index);
    for (Question& question : sample.questions) {
      question.kind = fmt::format("{}.{}", family.name, question.kind);
      question.level = level;
    }
    return sample;
  }
  VL3_FAIL(kInvalidArgument,
           "{} at level {}: the options leave nothing to draw (sides {} to {} px, glyphs, background level "
           "{}); widen them",
           kind, level, options_.min_side, options_.max_side, options_.background_level);
}

}  // namespace vl3::synth
