#include "train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "core/check.h"
#include "core/file.h"
#include "core/log.h"
#include "weights/hf_names.h"
#include "weights/model_folder.h"
#include "weights/weight_files.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxShardBytes = 5'000'000'000;  // as transformers
constexpr uint64_t kMaxSideFileBytes = 256ull << 20;

fs::path beside(const fs::path& path, const char* mark) {
  static int counter = 0;
  fs::path out = path;
  out += fmt::format(".{}-{}-{}", mark, ::getpid(), counter++);
  return out;
}

// A folder that is filled under a temporary name and removed unless put in place.
class Staging {
 public:
  explicit Staging(const fs::path& target) : target_(target), path_(beside(target, "tmp")) {
    fs::create_directory(path_);
  }
  ~Staging() {
    std::error_code ignored;
    if (!done_) fs::remove_all(path_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const fs::path& path() const { return path_; }

  // Takes the place of a folder of that name in one step, where the file system can exchange names.
  void put_in_place() {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path_)) {
      if (entry.is_directory()) sync(entry.path());
    }
    sync(path_);
    if (fs::exists(target_)) {
      if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
        done_ = true;
        fs::remove_all(path_);  // what was there before
        return;
      }
      const fs::path trash = beside(target_, "trash");
      fs::rename(target_, trash);
      fs::rename(path_, target_);
      done_ = true;
      fs::remove_all(trash);
      return;
    }
    fs::rename(path_, target_);
    done_ = true;
  }

 private:
  fs::path target_, path_;
  bool done_ = false;
};

std::vector<weights::TensorInfo> infos_of(const std::vector<const weights::OutTensor*>& tensors) {
  std::vector<weights::TensorInfo> infos;
  for (const weights::OutTensor* tensor : tensors) infos.push_back(tensor->info);
  return infos;
}

void write_optimizer(const std::vector<weights::OutTensor>& tensors, const fs::path& file) {
  std::vector<const weights::OutTensor*> order;
  for (const weights::OutTensor& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return weights::dtype_size(a->info.dtype) >
           weights::dtype_size(b->info.dtype);  // the writer wants wide ones first
  });
  weights::SafetensorsWriter writer(file, infos_of(order));
  for (const weights::OutTensor* tensor : order) {
    tensor->produce([&writer](std::span<const std::byte> bytes) { writer.append(bytes); });
  }
  writer.commit();
}

// The config says how the model was trained; transformers and `vl3 ask` prune accordingly.
void set_token_compression(Flow layout, bool on, std::map<std::string, std::string>* files) {
  const std::string name = layout == Flow::kRemote ? "config.json" : "video_preprocessor_config.json";
  const auto it = files->find(name);
  if (it == files->end()) return;
  Json json = parse_json(it->second, name);
  if (json.contains("use_token_compression") && json["use_token_compression"] == on) return;
  json["use_token_compression"] = on;
  it->second = json.dump(2) + "\n";
}

bool is_model_file(const fs::path& name) {
  return name != kOptimizerFile && name != kStateFile && name != "recipe.toml";
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  const fs::path temporary = beside(to, "tmp");
  std::error_code error;
  fs::create_hard_link(from, temporary, error);
  if (error) {
    fs::copy_file(from, temporary);
    sync(temporary);
  }
  fs::rename(temporary, to);
}

}  // namespace

ModelFiles::ModelFiles(const weights::ModelConfig& source, weights::DType dtype, bool use_token_compression,
                       const fs::path& scratch)
    : layout_(source.layout) {
  const Staging staging(scratch / kModelFiles);  // never put in place
  weights::write_side_files(source, layout_, dtype, staging.path());
  for (const fs::directory_entry& entry : fs::directory_iterator(staging.path())) {
    files_[entry.path().filename().string()] = read_file(entry.path(), kMaxSideFileBytes);
  }
  set_token_compression(layout_, use_token_compression, &files_);
}

void ModelFiles::write(const fs::path& folder) const {
  for (const auto& [name, content] : files_) write_file_atomically(folder / name, content);
}

CheckpointStore::CheckpointStore(const RunFolder& run, ModelFiles files, int64_t save_total_limit)
    : run_(run.path()), files_(std::move(files)), limit_(std::max<int64_t>(1, save_total_limit)) {}

fs::path CheckpointStore::save(const CheckpointContents& contents) {
  const int64_t step = contents.state.step;
  const fs::path target = run_ / fmt::format("checkpoint-{}", step);
  try {
    Staging staging(target);
    files_.write(staging.path());
    std::vector<weights::OutTensor> tensors = contents.weights;
    for (weights::OutTensor& tensor : tensors)
      tensor.info.name = weights::layout_name(tensor.info.name, files_.layout());
    weights::write_and_verify(staging.path(), tensors, kMaxShardBytes, {});
    write_optimizer(contents.optimizer, staging.path() / kOptimizerFile);
    write_file_atomically(staging.path() / "recipe.toml", contents.recipe);
    if (contents.write_more) contents.write_more(staging.path());
    write_trainer_state(contents.state, staging.path());
    staging.put_in_place();
  } catch (const Error& error) {
    throw error.with_context(fmt::format(
        "writing {} (earlier checkpoints are whole; free space and --resume auto)", target.string()));
  } catch (const fs::filesystem_error& error) {
    const bool full = error.code() == std::errc::no_space_on_device;
    throw Error(full ? ErrorCode::kResourceExhausted : ErrorCode::kInvalidArgument,
                fmt::format("{}: not written: {}; earlier checkpoints are whole", target.string(),
                            error.code().message()));
  }
  sync(run_);

  std::vector<CheckpointPlace> places = list_checkpoints(run_);
  const auto surplus = std::max<int64_t>(0, static_cast<int64_t>(places.size()) - limit_);
  for (int64_t i = 0; i < surplus; ++i) {
    const fs::path& old = places[static_cast<size_t>(i)].path;
    if (old == target) continue;
    std::error_code error;  // an old one that cannot be deleted is no reason to stop
    const fs::path trash = beside(old, "trash");
    fs::rename(old, trash, error);
    if (!error) fs::remove_all(trash, error);
    if (error) logger().warn("{}: cannot be deleted: {}", old.string(), error.message());
  }
  return target;
}

void CheckpointStore::publish(const fs::path& checkpoint) {
  try {
    // Without config.json it is no model folder: nobody takes the mixture of two models for one.
    fs::remove(run_ / "config.json");
    std::set<fs::path> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(checkpoint)) {
      const fs::path name = entry.path().filename();
      if (!is_model_file(name)) continue;
      names.insert(name);
      if (entry.is_directory()) {
        fs::remove_all(run_ / name);
        fs::copy(entry.path(), run_ / name, fs::copy_options::recursive);
        for (const fs::directory_entry& copy : fs::recursive_directory_iterator(run_ / name))
          sync(copy.path());
        sync(run_ / name);
      } else if (name != "config.json") {
        link_or_copy(entry.path(), run_ / name);
      }
    }
    std::vector<fs::path> stale;
    for (const fs::directory_entry& entry : fs::directory_iterator(run_)) {
      const std::string name = entry.path().filename().string();
      if (weights::is_weights_file(name) && names.count(name) == 0) stale.push_back(entry.path());
    }
    for (const fs::path& path : stale) fs::remove(path);
    sync(run_);
    link_or_copy(checkpoint / "config.json", run_ / "config.json");
    sync(run_);
  } catch (const fs::filesystem_error& error) {
    const bool full = error.code() == std::errc::no_space_on_device;
    throw Error(full ? ErrorCode::kResourceExhausted : ErrorCode::kInvalidArgument,
                fmt::format("{}: the final model was not written: {}; {} holds it", run_.string(),
                            error.code().message(), checkpoint.string()));
  }
}

}  // namespace vl3::train
