// The files of a model folder that hold its weights: by their names, and whether they are still the same.
#pragma once

#include <filesystem>
#include <string>

namespace vl3::weights {

/// Whether a file of this name holds a model's weights, or says in which shards they lie.
bool is_weights_file(const std::string& name);

/// Changes when the weights of a model folder do: digest of the names and sizes of its weight files, and of
/// 256 pieces of each, spread evenly. Of 15 GB it reads 2 MB.
/// @throws Error(kCorrupt) for a file that cannot be read.
std::string weights_fingerprint(const std::filesystem::path& folder);

}  // namespace vl3::weights
