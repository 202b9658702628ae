#include "train/trainer_state.h"

#include <fstream>

#include "core/check.h"
#include "core/digest.h"
#include "core/file.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kFormat = 2;  // 1: sizes without digests

std::string digest_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string chunk(1 << 20, '\0');
  Digest digest;
  while (file.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || file.gcount() > 0)
    digest.add(chunk.data(), static_cast<size_t>(file.gcount()));
  VL3_CHECK(file.eof(), kCorrupt, "{}: cannot be read", path.string());
  return digest.hex();
}

Json files_of(const fs::path& folder) {
  Json files = Json::object();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).generic_string();
    if (!entry.is_regular_file() || name == kStateFile) continue;
    files[name] = {{"bytes", entry.file_size()}, {"sha256", digest_of(entry.path())}};
  }
  return files;
}

// What trainer_state.json says of one file.
struct WrittenFile {
  int64_t bytes = 0;
  std::string sha256;  // "": not known
};

WrittenFile written(const JsonView& files, const std::string& name, int64_t format) {
  if (format == 1) return {.bytes = files.integer(name, 0), .sha256 = ""};
  const JsonView file = files.object(name);
  return {.bytes = file.integer("bytes", 0), .sha256 = file.string("sha256")};
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
                     {"base_model", state.base_model},
                     {"files", files_of(folder)}};
  write_file_atomically(folder / kStateFile, json.dump(1) + "\n");
}

TrainerState read_trainer_state(const fs::path& folder) {
  const Json json = read_json_file(folder / kStateFile);
  const JsonView view(json, (folder / kStateFile).string());
  const int64_t format = view.integer("format", 1);
  VL3_CHECK(format <= kFormat, kUnsupported, "{}: format {}, this vl3 reads up to {}", view.where(), format,
            kFormat);
  const JsonView files = view.object("files");
  for (const auto& item : files.json().items()) {
    std::error_code error;
    const int64_t size = written(files, item.key(), format).bytes;
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
  if (view.has("base_model")) state.base_model = view.string("base_model");
  for (const auto& item : view.object("versions").json().items()) {
    state.versions[item.key()] = view.object("versions").string(item.key());
  }
  return state;
}

void verify_checkpoint(const fs::path& folder) {
  read_trainer_state(folder);  // names and sizes
  const Json json = read_json_file(folder / kStateFile);
  const JsonView view(json, (folder / kStateFile).string());
  const JsonView files = view.object("files");
  for (const auto& item : files.json().items()) {
    const std::string wanted = written(files, item.key(), view.integer("format", 1)).sha256;
    VL3_CHECK(wanted.empty() || digest_of(folder / item.key()) == wanted, kCorrupt,
              "{}: {} is not what was written; the checkpoint is damaged", folder.string(), item.key());
  }
}

}  // namespace vl3::train
