#include "serve/batch/feature_store.h"

#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>

#include "core/check.h"
#include "core/digest.h"
#include "core/log.h"
#include "weights/safetensors.h"
#include "weights/safetensors_writer.h"

namespace vl3::serve {
namespace {

using FileClock = std::filesystem::file_time_type::clock;

constexpr std::string_view kSuffix = ".features.safetensors";
constexpr std::string_view kTemporary = ".features.safetensors.tmp-";  // as core/file.h's AtomicFile names it

// What came from disk is kept in memory under another name, so that what put() brings hides it.
std::string of_disk(const std::string& key) { return "disk:" + key; }

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

std::span<const std::byte> bytes_of(const std::vector<uint8_t>& mask) {
  return {reinterpret_cast<const std::byte*>(mask.data()), mask.size()};
}

/// Of an entry: rows [rows, D] of all frames one after the other, masks [frames, tokens].
struct Shape {
  int64_t rows = 0, D = 0, frames = 0, tokens = 0;
};

/// What a file's "sha256" covers: its key and shapes, then the tensors' bytes as they lie in the file.
void begin(Digest& digest, const std::string& key, const Shape& shape) {
  digest.add(fmt::format("{}\n{} {} {} {}\n", key, shape.rows, shape.D, shape.frames, shape.tokens));
}

void add(Digest& digest, std::span<const std::byte> bytes) { digest.add(bytes.data(), bytes.size()); }

/// nullopt for frames that no file can hold: none, of several sizes, elsewhere or of another dtype.
std::optional<Shape> shape_of(const FeatureStore::Frames& frames) {
  if (frames.empty() || !frames.front().features_KD.defined() || frames.front().features_KD.dim() != 2)
    return std::nullopt;
  Shape shape{0, frames.front().features_KD.size(1), static_cast<int64_t>(frames.size()),
              static_cast<int64_t>(frames.front().mask.size())};
  for (const engine::FrameFeatures& frame : frames) {
    const bool plain = frame.features_KD.scalar_type() == at::kFloat && frame.features_KD.is_cpu() &&
                       frame.features_KD.dim() == 2 && frame.features_KD.size(1) == shape.D &&
                       frame.features_KD.size(0) == frame.kept &&
                       static_cast<int64_t>(frame.mask.size()) == shape.tokens;
    if (!plain) return std::nullopt;
    shape.rows += frame.kept;
  }
  return shape;
}

uint64_t data_bytes(const Shape& shape) {
  return static_cast<uint64_t>(shape.rows * shape.D) * sizeof(float) +
         static_cast<uint64_t>(shape.frames * shape.tokens);
}

/// @throws Error(kCorrupt) for a file that is not what write() made for this key.
std::shared_ptr<FeatureStore::Frames> frames_in(const weights::SafetensorsFile& file,
                                                const std::string& key) {
  const std::string path = file.path().string();
  const auto stated = [&](const char* name) {
    const auto it = file.metadata().find(name);
    return it == file.metadata().end() ? "" : it->second;
  };
  VL3_CHECK(stated("key") == key, kCorrupt, "{}: holds another medium", path);
  const weights::TensorView &features = file.at("features"), &masks = file.at("masks");
  const bool known = features.dtype == weights::DType::kF32 && features.shape.size() == 2 &&
                     masks.dtype == weights::DType::kU8 && masks.shape.size() == 2;
  VL3_CHECK(known, kCorrupt, "{}: has other tensors than expected", path);
  const Shape shape{features.shape[0], features.shape[1], masks.shape[0], masks.shape[1]};
  VL3_CHECK(shape.D > 0 && shape.frames > 0 && shape.tokens > 0, kCorrupt, "{}: has no frames", path);
  Digest digest;
  begin(digest, key, shape);
  add(digest, features.bytes());
  add(digest, masks.bytes());
  VL3_CHECK(stated("sha256") == digest.hex(), kCorrupt, "{}: its content is not what was written", path);

  auto frames = std::make_shared<FeatureStore::Frames>();
  int64_t row = 0;
  for (int64_t f = 0; f < shape.frames; ++f) {
    engine::FrameFeatures frame;
    frame.frame = f;
    const auto* mask = reinterpret_cast<const uint8_t*>(masks.data) + f * shape.tokens;
    frame.mask.assign(mask, mask + shape.tokens);
    frame.kept = std::count(frame.mask.begin(), frame.mask.end(), uint8_t{1});
    VL3_CHECK(row + frame.kept <= shape.rows, kCorrupt, "{}: fewer features than masks say", path);
    frame.features_KD = at::empty({frame.kept, shape.D}, at::kFloat);
    std::memcpy(frame.features_KD.data_ptr(),
                features.data + static_cast<size_t>(row * shape.D) * sizeof(float),
                frame.features_KD.nbytes());
    row += frame.kept;
    frames->push_back(std::move(frame));
  }
  VL3_CHECK(row == shape.rows, kCorrupt, "{}: more features than masks say", path);
  return frames;
}

}  // namespace

FeatureStore::FeatureStore(FeatureStoreOptions options)
    : options_(std::move(options)),
      memory_(options_.memory_bytes),
      started_(FileClock::now() - std::chrono::seconds(1)) {  // files' times are coarser than this clock
  if (options_.folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  VL3_CHECK(std::filesystem::is_directory(options_.folder), kInvalidArgument, "--vision-cache-dir {}: {}",
            options_.folder.string(), error.message());
  make_room(0);
  writer_ = std::thread([this] { write_pending(); });
}

FeatureStore::~FeatureStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

std::filesystem::path FeatureStore::file_of(const std::string& key) const {
  return options_.folder / (sha256_hex(options_.model + "\n" + key) + std::string(kSuffix));
}

// ---- on the caller's thread

std::shared_ptr<const FeatureStore::Frames> FeatureStore::find(const std::string& key) {
  auto found = memory_.find(key);
  if (found == nullptr) found = find_pending(key);
  if (found == nullptr) found = memory_.find(of_disk(key));
  bool from_disk = false;
  if (found == nullptr && !options_.folder.empty()) {
    found = read(key);
    from_disk = found != nullptr;
    if (from_disk) memory_.put(of_disk(key), *found);
  }
  const std::lock_guard lock(mutex_);
  ++stats_.queries;
  if (found != nullptr) ++stats_.hits;
  if (from_disk) ++stats_.disk_hits;
  return found;
}

void FeatureStore::put(const std::string& key, Frames frames) {
  memory_.put(key, frames);
  if (!options_.folder.empty()) enqueue(key, std::move(frames));
}

std::shared_ptr<const FeatureStore::Frames> FeatureStore::read(const std::string& key) {
  const std::filesystem::path path = file_of(key);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  try {
    auto frames = frames_in(weights::SafetensorsFile(path), options_.model + "\n" + key);
    std::filesystem::last_write_time(path, FileClock::now(), error);  // used: make_room() goes by it
    return frames;
  } catch (const std::exception& failure) {
    logger().warn("vision cache: {}; it is removed", failure.what());
    std::filesystem::remove(path, error);
    const std::lock_guard lock(mutex_);
    ++stats_.disk_failures;
    return nullptr;
  }
}

std::shared_ptr<const FeatureStore::Frames> FeatureStore::find_pending(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto newest = std::find_if(pending_.rbegin(), pending_.rend(),
                                   [&](const Pending& pending) { return pending.key == key; });
  return newest == pending_.rend() ? nullptr : newest->frames;
}

void FeatureStore::enqueue(const std::string& key, Frames frames) {
  const std::optional<Shape> shape = shape_of(frames);
  if (!shape || data_bytes(*shape) > options_.disk_bytes) return;
  const uint64_t bytes = data_bytes(*shape);
  {
    const std::lock_guard lock(mutex_);
    if (!pending_.empty() && pending_bytes_ + bytes > options_.queue_bytes) {
      if (stats_.disk_dropped++ == 0)
        logger().warn("vision cache: {} is too slow; some media are not written", options_.folder.string());
      return;
    }
    pending_.push_back({key, std::make_shared<const Frames>(std::move(frames)), bytes});
    pending_bytes_ += bytes;
  }
  changed_.notify_all();
}

void FeatureStore::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return pending_.empty(); });
}

FeatureStore::Stats FeatureStore::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.memory_bytes = static_cast<uint64_t>(memory_.bytes());
  return stats;
}

// ---- on the writer's thread

void FeatureStore::write_pending() {
  const c10::InferenceMode inference;  // as the thread that made the tensors
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !pending_.empty(); });
    if (pending_.empty()) return;
    const Pending pending = pending_.front();
    lock.unlock();
    write(pending.key, *pending.frames);
    lock.lock();
    pending_bytes_ -= pending.bytes;
    pending_.pop_front();
    changed_.notify_all();
  }
}

// Tensors: features [rows, D] of all frames one after the other; masks [frames, tokens_per_frame].
void FeatureStore::write(const std::string& key, const Frames& frames) {
  try {
    const Shape shape = shape_of(frames).value();
    const std::string whole_key = options_.model + "\n" + key;
    std::vector<std::span<const std::byte>> data;
    std::vector<at::Tensor> rows;
    for (const engine::FrameFeatures& frame : frames) {
      rows.push_back(frame.features_KD.contiguous());
      data.push_back(bytes_of(rows.back()));
    }
    for (const engine::FrameFeatures& frame : frames) data.push_back(bytes_of(frame.mask));
    Digest digest;
    begin(digest, whole_key, shape);
    for (const std::span<const std::byte> piece : data) add(digest, piece);

    const uint64_t bytes = data_bytes(shape) + 512 + 2 * whole_key.size();  // with the header at its longest
    make_room(bytes);
    weights::SafetensorsWriter writer(file_of(key),
                                      {{"features", weights::DType::kF32, {shape.rows, shape.D}},
                                       {"masks", weights::DType::kU8, {shape.frames, shape.tokens}}},
                                      {{"key", whole_key}, {"sha256", digest.hex()}});
    for (const std::span<const std::byte> piece : data) writer.append(piece);
    writer.commit();
    const std::lock_guard lock(mutex_);
    stats_.disk_bytes += bytes;
  } catch (const std::exception& failure) {
    const std::lock_guard lock(mutex_);
    if (stats_.disk_failures++ == 0) logger().warn("vision cache: {}; going on without", failure.what());
  }
}

/// Whether a file that is being written is so no more: its process ended, or came to a stop long ago. One's
/// own number may be that of a process before, as in a container.
bool FeatureStore::is_left_over(const std::filesystem::directory_entry& file) const {
  constexpr std::chrono::minutes kLong(10);
  const std::string name = file.path().filename().string();
  const int pid = std::atoi(name.c_str() + name.find(kTemporary) + kTemporary.size());
  std::error_code error;
  const auto written = file.last_write_time(error);
  if (pid == ::getpid()) return written < started_;
  const bool gone = pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH);
  return gone || written < FileClock::now() - kLong;
}

// Files used longest ago go first. What is there is looked at anew each time: others may have removed some.
void FeatureStore::make_room(uint64_t wanted) {
  struct File {
    std::filesystem::file_time_type used;
    uint64_t bytes;
    std::filesystem::path path;
  };
  std::vector<File> files;
  std::error_code error, gone;
  uint64_t total = 0;
  for (std::filesystem::directory_iterator it(options_.folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool temporary = name.find(kTemporary) != std::string::npos;
    if (temporary && is_left_over(*it)) {
      std::filesystem::remove(it->path(), gone);
      continue;
    }
    if (!temporary && !name.ends_with(kSuffix)) continue;
    gone.clear();
    const uint64_t bytes = it->file_size(gone);
    if (gone) continue;
    const auto used = it->last_write_time(gone);
    if (gone) continue;
    total += bytes;
    if (!temporary) files.push_back({used, bytes, it->path()});
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  for (size_t i = 0; i < files.size() && total + wanted > options_.disk_bytes; ++i) {
    total -= files[i].bytes;
    std::filesystem::remove(files[i].path, error);
  }
  const std::lock_guard lock(mutex_);
  stats_.disk_bytes = total;
}

}  // namespace vl3::serve
