// Samples by number: each a pure function of the options and its index, so that any thread may draw any of
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "synth/family.h"
#include "synth/options.h"
#include "synth/sample.h"

namespace vl3::synth {

/// Immutable once built; sample() may be called from several threads.
class Generator {
 public:
  /// @throws Error(kInvalidArgument) as check().
  explicit Generator(SynthOptions options);

  /// Draws kind and level by the weights of the mixture's entries that are active at `index`, then as below.
  /// @throws Error(kInvalidArgument) where none is.
  Sample sample(uint64_t index) const;
  /// A sample whose first question is of this kind. The others are of kinds of the same family that are in
  /// the mixture.
  /// @param kind   "scene.colour"
  /// @param level  name of one of the family's levels at which the kind can be asked
  /// @throws Error(kInvalidArgument)
  Sample sample(const std::string& kind, const std::string& level, uint64_t index) const;

  const SynthOptions& options() const { return options_; }

  /// One thing the mixture can draw.
  struct Draw {
    const Family* family;
    const Kind* kind;
    int level;
    double weight;
    uint64_t from = 0, to = 0;  ///< as MixtureEntry
    bool active(uint64_t index) const { return index >= from && (to == 0 || index < to); }
  };
  const std::vector<Draw>& draws() const { return draws_; }

 private:
  Sample make(const Draw& draw, uint64_t index) const;

  SynthOptions options_;
  std::vector<Draw> draws_;
};

/// The mixture's entries written out, one a kind and level.
std::vector<Generator::Draw> expand_mixture(const std::vector<MixtureEntry>& mixture);

}  // namespace vl3::synth
