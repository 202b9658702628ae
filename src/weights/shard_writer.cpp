#include "weights/shard_writer.h"

#include <algorithm>
#include <string>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "weights/shard_index.h"

namespace vl3::weights {
namespace {

using Shard = std::vector<const OutTensor*>;

std::vector<Shard> plan_shards(const std::vector<OutTensor>& tensors, uint64_t max_shard_size) {
  std::vector<Shard> shards(1);
  uint64_t size = 0;
  for (const OutTensor& tensor : tensors) {
    const uint64_t bytes = tensor.info.size_bytes();
    if (!shards.back().empty() && (size > max_shard_size || bytes > max_shard_size - size)) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().push_back(&tensor);
    size += bytes;
  }
  for (Shard& shard : shards) {
    std::stable_sort(shard.begin(), shard.end(), [](const OutTensor* a, const OutTensor* b) {
      return dtype_size(a->info.dtype) > dtype_size(b->info.dtype);
    });
  }
  return shards;
}

}  // namespace

void write_sharded(const std::filesystem::path& folder, const std::vector<OutTensor>& tensors,
                   uint64_t max_shard_size, const ByteProgress& progress) {
  VL3_CHECK(max_shard_size > 0, kInvalidArgument, "max_shard_size 0: give the bytes a shard may have");
  const std::vector<Shard> shards = plan_shards(tensors, max_shard_size);
  VL3_CHECK(shards.size() <= kMaxShards, kInvalidArgument,
            "max_shard_size {} would make {} shards, at most {} are allowed", max_shard_size, shards.size(),
            kMaxShards);
  uint64_t total = 0;
  for (const OutTensor& tensor : tensors) total += tensor.info.size_bytes();

  uint64_t done = 0;
  Json weight_map = Json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1
                                 ? kSingleFile
                                 : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    std::vector<TensorInfo> infos;
    for (const OutTensor* tensor : shards[i]) {
      infos.push_back(tensor->info);
      weight_map[tensor->info.name] = name;
    }
    SafetensorsWriter writer(folder / name, infos);
    for (const OutTensor* tensor : shards[i]) {
      tensor->produce([&](std::span<const std::byte> bytes) {
        writer.append(bytes);
        done += bytes.size();
        if (progress) progress(done, total);
      });
    }
    writer.commit();
  }
  if (shards.size() > 1) {
    const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
    write_file_atomically(folder / kIndexFile, index.dump(2) + "\n");
  }
}

}  // namespace vl3::weights
