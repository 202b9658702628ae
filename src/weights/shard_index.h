// Finding the weight files of a folder. Internal to weights/.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vl3::weights {

inline constexpr size_t kMaxShards = 4096;
inline constexpr const char* kSingleFile = "model.safetensors";
inline constexpr const char* kIndexFile = "model.safetensors.index.json";

struct ShardIndex {
  std::vector<std::string> files;  ///< plain names inside the folder, sorted
  /// File's tensor name → index into `files`; empty where there is no index file (a single file).
  std::map<std::string, size_t> weight_map;
};

/// model.safetensors if there is one, else what the index lists. Every file named exists.
/// @throws Error(kNotFound) for no weights or a missing shard; Error(kUnsupported) where only pickled weights
///   (pytorch_model.bin) are found; Error(kCorrupt) for a malformed index or a name that leaves the folder.
ShardIndex find_shards(const std::filesystem::path& dir);

}  // namespace vl3::weights
