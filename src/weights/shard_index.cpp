#include "weights/shard_index.h"

#include <algorithm>
#include <system_error>

#include "core/check.h"
#include "core/json.h"
#include "weights/safetensors.h"

namespace vl3::weights {
namespace {

constexpr uint64_t kMaxIndexBytes = 64ull << 20;

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// No separators and no "..": an index must not reach files outside its folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos && name != "." && name != ".." &&
         name.ends_with(".safetensors");
}

ShardIndex read_index(const std::filesystem::path& dir) {
  const std::filesystem::path file = dir / kIndexFile;
  const Json json = read_json_file(file, kMaxIndexBytes);
  const JsonView map = JsonView(json, file.string()).object("weight_map");
  VL3_CHECK(!map.json().empty(), kCorrupt, "{}: no tensor in it", map.where());
  VL3_CHECK(map.json().size() <= kMaxSafetensorsTensors, kCorrupt, "{}: {} tensors, at most {} are allowed",
            map.where(), map.json().size(), kMaxSafetensorsTensors);
  std::map<std::string, size_t> shards;
  for (const auto& item : map.json().items()) {
    VL3_CHECK(item.value().is_string() && is_plain_name(item.value().get_ref<const std::string&>()), kCorrupt,
              "{}: \"{:.100}\" lies in {:.100}, which is not the name of a .safetensors file of this folder",
              map.where(), item.key(), item.value().dump());
    shards.emplace(item.value().get<std::string>(), 0);
  }
  VL3_CHECK(shards.size() <= kMaxShards, kCorrupt, "{}: {} shards, at most {} are allowed", map.where(),
            shards.size(), kMaxShards);
  ShardIndex index;
  for (auto& [name, position] : shards) {
    VL3_CHECK(is_there(dir / name), kNotFound, "{}: shard {} of the index is missing", dir.string(), name);
    position = index.files.size();
    index.files.push_back(name);
  }
  for (const auto& item : map.json().items()) {
    index.weight_map.emplace(item.key(), shards.at(item.value().get_ref<const std::string&>()));
  }
  return index;
}

}  // namespace

ShardIndex find_shards(const std::filesystem::path& dir) {
  if (is_there(dir / kSingleFile)) return {.files = {kSingleFile}, .weight_map = {}};
  if (is_there(dir / kIndexFile)) return read_index(dir);
  for (const char* pickled : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    VL3_CHECK(!is_there(dir / pickled), kUnsupported,
              "{}: only {} is here; pickled weights are not read, convert them to safetensors first",
              dir.string(), pickled);
  }
  VL3_FAIL(kNotFound, "{}: no weights here, neither {} nor {}", dir.string(), kSingleFile, kIndexFile);
}

}  // namespace vl3::weights
