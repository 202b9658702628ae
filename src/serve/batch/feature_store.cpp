#include "serve/batch/feature_store.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/check.h"
#include "core/digest.h"
#include "core/log.h"
#include "weights/safetensors.h"
#include "weights/safetensors_writer.h"

namespace vl3::serve {
namespace {

constexpr const char* kSuffix = ".features.safetensors";

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

FeatureStore::FeatureStore(FeatureStoreOptions options)
    : options_(std::move(options)), memory_(options_.memory_bytes) {
  if (options_.folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  VL3_CHECK(std::filesystem::is_directory(options_.folder), kInvalidArgument, "--vision-cache-dir {}: {}",
            options_.folder.string(), error.message());
  make_room(0);
}

std::filesystem::path FeatureStore::file_of(const std::string& key) const {
  return options_.folder / (sha256_hex(options_.model + "\n" + key) + kSuffix);
}

std::shared_ptr<const FeatureStore::Frames> FeatureStore::find(const std::string& key) {
  ++stats_.queries;
  auto found = memory_.find(key);
  if (found == nullptr && !options_.folder.empty()) {
    found = read(key);
    if (found != nullptr) {
      ++stats_.disk_hits;
      memory_.put(key, *found);
    }
  }
  if (found != nullptr) ++stats_.hits;
  return found;
}

void FeatureStore::put(const std::string& key, Frames frames) {
  if (!options_.folder.empty()) write(key, frames);
  memory_.put(key, std::move(frames));
}

// Tensors: features [rows, D] of all frames one after the other; masks [frames, tokens_per_frame].
std::shared_ptr<const FeatureStore::Frames> FeatureStore::read(const std::string& key) {
  const std::filesystem::path path = file_of(key);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  try {
    const weights::SafetensorsFile file(path);
    const auto named = file.metadata().find("key");
    VL3_CHECK(named != file.metadata().end() && named->second == options_.model + "\n" + key, kCorrupt,
              "{}: holds another medium", path.string());
    const weights::TensorView &features = file.at("features"), &masks = file.at("masks");
    VL3_CHECK(features.dtype == weights::DType::kF32 && features.shape.size() == 2 &&
                  masks.dtype == weights::DType::kU8 && masks.shape.size() == 2,
              kCorrupt, "{}: has other tensors than expected", path.string());
    const int64_t D = features.shape[1], tokens = masks.shape[1];
    auto frames = std::make_shared<Frames>();
    int64_t row = 0;
    for (int64_t f = 0; f < masks.shape[0]; ++f) {
      engine::FrameFeatures frame;
      frame.frame = f;
      const auto* mask = reinterpret_cast<const uint8_t*>(masks.data) + f * tokens;
      frame.mask.assign(mask, mask + tokens);
      frame.kept = std::count(frame.mask.begin(), frame.mask.end(), uint8_t{1});
      VL3_CHECK(row + frame.kept <= features.shape[0], kCorrupt, "{}: fewer features than masks say",
                path.string());
      frame.features_KD = at::empty({frame.kept, D}, at::kFloat);
      std::memcpy(frame.features_KD.data_ptr(), features.data + static_cast<size_t>(row * D) * sizeof(float),
                  frame.features_KD.nbytes());
      row += frame.kept;
      frames->push_back(std::move(frame));
    }
    VL3_CHECK(row == features.shape[0], kCorrupt, "{}: more features than masks say", path.string());
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now(), error);
    return frames;
  } catch (const Error& failure) {
    ++stats_.disk_failures;
    logger().warn("vision cache: {}; it is removed", failure.what());
    std::filesystem::remove(path, error);
    return nullptr;
  }
}

void FeatureStore::write(const std::string& key, const Frames& frames) {
  const auto tokens = static_cast<int64_t>(frames.front().mask.size());
  int64_t rows = 0;
  const int64_t D = frames.front().features_KD.size(1);
  for (const engine::FrameFeatures& frame : frames) {
    const bool plain = frame.features_KD.scalar_type() == at::kFloat && frame.features_KD.is_cpu() &&
                       static_cast<int64_t>(frame.mask.size()) == tokens;
    if (!plain) return;
    rows += frame.kept;
  }
  const weights::TensorInfo features{"features", weights::DType::kF32, {rows, D}};
  const weights::TensorInfo masks{
      "masks", weights::DType::kU8, {static_cast<int64_t>(frames.size()), tokens}};
  const uint64_t bytes = features.size_bytes() + masks.size_bytes();
  if (bytes > options_.disk_bytes) return;
  try {
    make_room(bytes);
    weights::SafetensorsWriter writer(file_of(key), {features, masks},
                                      {{"key", options_.model + "\n" + key}});
    for (const engine::FrameFeatures& frame : frames) writer.append(bytes_of(frame.features_KD.contiguous()));
    for (const engine::FrameFeatures& frame : frames)
      writer.append({reinterpret_cast<const std::byte*>(frame.mask.data()), frame.mask.size()});
    writer.commit();
    stats_.disk_bytes += bytes;
  } catch (const std::exception& failure) {
    if (stats_.disk_failures++ == 0) logger().warn("vision cache: {}; going on without", failure.what());
  }
}

// Files used longest ago go first. What is there is looked at anew each time: others may have removed some.
void FeatureStore::make_room(uint64_t wanted) {
  struct File {
    std::filesystem::file_time_type used;
    uint64_t bytes;
    std::filesystem::path path;
  };
  std::vector<File> files;
  std::error_code error;
  uint64_t total = 0;
  for (std::filesystem::directory_iterator it(options_.folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (!it->path().string().ends_with(kSuffix)) continue;
    File file{it->last_write_time(gone), it->file_size(gone), it->path()};
    if (gone) continue;
    total += file.bytes;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  for (size_t i = 0; i < files.size() && total + wanted > options_.disk_bytes; ++i) {
    total -= files[i].bytes;
    std::filesystem::remove(files[i].path, error);
  }
  stats_.disk_bytes = total;
}

FeatureStore::Stats FeatureStore::stats() const {
  Stats stats = stats_;
  stats.memory_bytes = static_cast<uint64_t>(memory_.bytes());
  return stats;
}

}  // namespace vl3::serve
