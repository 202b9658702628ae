// What a checkpoint keeps beside weights and optimizer, so that a resumed run goes on as if it had not
// stopped. Random numbers need no state: each follows from the recipe's seed, the step and the sample's
// place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/json.h"

namespace vl3::train {

struct TrainerState {
  int64_t step = 0;  ///< optimizer steps done
  double epoch = 0;
  int64_t samples_seen = 0;  ///< trained on, over all processes
  int64_t bad_samples = 0;   ///< left out
  int64_t tokens_seen = 0;
  Json data = Json::object();  ///< position of the samplers, as the data side gives and takes it
  std::map<std::string, std::string> versions = {};  ///< of what wrote it: "vl3", "torch"
  std::string base_model =
      "";  ///< weights::weights_fingerprint() of the model that adapters belong to; "": none
};

inline constexpr const char* kStateFile = "trainer_state.json";

/// The state with the list of the folder's other files, their sizes and SHA-256, by which a checkpoint is
/// known to be whole.
void write_trainer_state(const TrainerState& state, const std::filesystem::path& folder);

/// @throws Error(kNotFound) without the file; Error(kCorrupt) when it is malformed, or when a file that it
/// lists is missing or has another size: the checkpoint is not whole.
TrainerState read_trainer_state(const std::filesystem::path& folder);

/// Reads all files of the checkpoint again. Those of format 1 have sizes only.
/// @throws Error(kCorrupt) naming a file whose content is not what was written; as read_trainer_state().
void verify_checkpoint(const std::filesystem::path& folder);

}  // namespace vl3::train
