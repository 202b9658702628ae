#include "train/trainer_state.h"

#include "core/check.h"
#include "core/file.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kFormat = 1;

std::map<std::string, uint64_t> files_of(const fs::path& folder) {
  std::map<std::string, uint64_t> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).generic_string();
    if (entry.is_regular_file() && name != kStateFile) files[name] = entry.file_size();
  }
  return files;
}

Json object_or_empty(const JsonView& view, const std::string& key) {
  return view.has(key) ? view.at(key) : Json::object();
}

}  // namespace

void write_trainer_state(const TrainerState& state, const fs::path& folder) {
  const Json json = {{"format", kFormat},
                     {"step", state.step},
                     {"epoch", state.epoch},
                     {"samples_seen", state.samples_seen},
                     {"bad_samples", state.bad_samples},
                     {"tokens_seen", state.tokens_seen},
                     {"data", state.data},
                     {"versions", state.versions},
                     {"files", files_of(folder)}};
  write_file_atomically(folder / kStateFile, json.dump(1) + "\n");
}

TrainerState read_trainer_state(const fs::path& folder) {
  const Json json = read_json_file(folder / kStateFile);
  const JsonView view(json, (folder / kStateFile).string());
  const int64_t format = view.integer("format", 1);
  VL3_CHECK(format == kFormat, kUnsupported, "{}: format {}, this vl3 reads {}", view.where(), format,
            kFormat);
  const JsonView files = view.object("files");
  for (const auto& item : files.json().items()) {
    std::error_code error;
    const int64_t size = files.integer(item.key(), 0);
    const uint64_t found = fs::file_size(folder / item.key(), error);
    VL3_CHECK(!error, kCorrupt, "{}: {} is missing; the checkpoint is not whole", folder.string(),
              item.key());
    VL3_CHECK(found == static_cast<uint64_t>(size), kCorrupt,
              "{}: {} has {} bytes instead of {}; the checkpoint is not whole", folder.string(), item.key(),
              found, size);
  }
  TrainerState state;
  state.step = view.integer("step", 0);
  state.epoch = view.number("epoch");
  state.samples_seen = view.integer("samples_seen", 0);
  state.bad_samples = view.integer("bad_samples", 0);
  state.tokens_seen = view.integer("tokens_seen", 0);
  state.data = object_or_empty(view, "data");
  for (const auto& item : view.object("versions").json().items()) {
    state.versions[item.key()] = view.object("versions").string(item.key());
  }
  return state;
}

}  // namespace vl3::train
