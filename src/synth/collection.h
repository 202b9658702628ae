// A raw image-text collection with known faults, as a crawler would leave it: what `vl3 curate` is measured
// on. Every item is a pure function of the options and its number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "synth/writer.h"

namespace vl3::synth {

struct CollectionOptions {
  std::filesystem::path out;  ///< a new or empty folder
  uint64_t count = 20'000;
  uint64_t seed = 0;
};

/// The faults with their shares: "aspect", "blank", "blurred", "wrong_caption", "exact_duplicate",
/// "near_duplicate", "template", "corrupt", "caption_spam", "caption_control", "hostile_…"; "" for what is
/// sound.
struct FaultShare {
  std::string name;
  double share;
};
const std::vector<FaultShare>& fault_shares();

/// Writes media/, items.jsonl ({"id", "image", "caption"} a line, but for lines that are wrong on purpose)
/// and truth.jsonl:
/// {"position", "fault", "original" (of duplicates: the position it was made from), "how", "rare"} for each
/// line. About one item in 400 is of a rare kind (printed pages) among scenes. Beside the folder of
/// media lies `outside/`, which links and ".." names lead to and nothing may read.
/// @throws Error(kInvalidArgument) when `out` is filled, or its parent does not exist.
void write_collection(const CollectionOptions& options, const Progress& progress = {});

}  // namespace vl3::synth
