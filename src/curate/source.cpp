// Several files and folders as one input: which kind each is, and what its names are relative to.
#include <algorithm>

#include "core/check.h"
#include "core/log.h"
#include "curate/file_source.h"
#include "curate/folder_listing.h"
#include "curate/item.h"
#include "data/record_list.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

class JoinedSource : public ItemSource {
 public:
  /// @param media_root  of what is written.
  JoinedSource(std::vector<std::unique_ptr<ItemSource>> parts, fs::path media_root)
      : parts_(std::move(parts)), media_root_(std::move(media_root)) {
    for (size_t p = 0; p < parts_.size(); ++p) {
      first_items_.push_back(items_);
      first_shards_.push_back(shards_);
      items_ += parts_[p]->items();
      shards_ += parts_[p]->shards();
    }
  }
  int64_t shards() const override { return shards_; }
  int64_t items() const override { return items_; }
  int64_t begin_of(int64_t shard) const override {
    const size_t p = part_of(shard);
    return first_items_[p] + parts_[p]->begin_of(shard - first_shards_[p]);
  }
  int64_t size_of(int64_t shard) const override {
    const size_t p = part_of(shard);
    return parts_[p]->size_of(shard - first_shards_[p]);
  }
  std::unique_ptr<ItemReader> open(int64_t shard) const override {
    const size_t p = part_of(shard);
    return std::make_unique<Reader>(parts_[p]->open(shard - first_shards_[p]), first_items_[p]);
  }
  std::string fingerprint() const override {
    std::string all;
    for (const auto& part : parts_) all += part->fingerprint() + "\n";
    return all;
  }
  fs::path media_root() const override { return media_root_; }
  bool carries_media() const override {
    return std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->carries_media(); });
  }

 private:
  class Reader : public ItemReader {
   public:
    Reader(std::unique_ptr<ItemReader> part, int64_t first) : part_(std::move(part)), first_(first) {}
    std::optional<Item> next() override {
      std::optional<Item> item = part_->next();
      if (item) item->position += first_;
      return item;
    }

   private:
    std::unique_ptr<ItemReader> part_;
    int64_t first_;
  };

  size_t part_of(int64_t shard) const {
    return static_cast<size_t>(std::upper_bound(first_shards_.begin(), first_shards_.end(), shard) -
                               first_shards_.begin()) -
           1;
  }
  std::vector<std::unique_ptr<ItemSource>> parts_;
  fs::path media_root_;
  std::vector<int64_t> first_items_, first_shards_;
  int64_t items_ = 0, shards_ = 0;
};

std::vector<fs::path> expand(const InputConfig& input) {
  std::vector<fs::path> paths;
  for (const std::string& pattern : input.path) {
    const std::vector<fs::path> found = data::matching_files(pattern);
    VL3_CHECK(!found.empty(), kNotFound, "{}: no file matches", pattern);
    for (const fs::path& path : found) {
      VL3_CHECK(fs::exists(path), kNotFound, "{}: there is no such file or folder", path.string());
      VL3_CHECK(fs::is_directory(path) || fs::is_regular_file(path), kInvalidArgument,
                "{}: is neither a file nor a folder", path.string());
      const std::vector<fs::path> tars = fs::is_directory(path) ? tars_in(path) : std::vector<fs::path>{};
      if (tars.empty()) paths.push_back(path);
      paths.insert(paths.end(), tars.begin(), tars.end());
    }
  }
  return paths;
}

bool is_tar(const fs::path& path) { return path.extension() == ".tar" && !fs::is_directory(path); }

// The deepest folder that all of them are, or lie in.
fs::path common_folder(const std::vector<fs::path>& folders) {
  fs::path common = folders.empty() ? fs::path() : folders.front();
  for (const fs::path& folder : folders) {
    const auto end = std::mismatch(common.begin(), common.end(), folder.begin(), folder.end()).first;
    fs::path shared;
    for (auto part = common.begin(); part != end; ++part) shared /= *part;
    common = shared;
  }
  return common;
}

// "" or "fa/".
std::string prefix_of(const fs::path& folder, const fs::path& common) {
  const std::string relative = folder.lexically_relative(common).string();
  return relative == "." || relative.empty() ? "" : relative + "/";
}

struct Inputs {
  std::vector<InputFile> files;
  fs::path media_root;
};

// Names are relative to each file's own folder, which is also all that its names may lead to. What is written
// is relative to the folder that all of these share: "a.jpg" of two folders would be one name for two
// pictures.
Inputs name_inputs(const std::vector<fs::path>& paths, const std::string& data_root) {
  Inputs inputs;
  std::vector<fs::path> folders, roots;
  for (const fs::path& path : paths) {
    const bool folder = fs::is_directory(path);
    folders.push_back(fs::canonical(folder ? path : fs::absolute(path).parent_path()));
    InputFile file;
    file.path = folder ? folders.back() : folders.back() / path.filename();
    file.root = data_root.empty() ? folders.back() : fs::canonical(data_root);
    if (!is_tar(path)) roots.push_back(file.root);
    inputs.files.push_back(std::move(file));
  }
  const fs::path shared = common_folder(folders);
  inputs.media_root = common_folder(roots);
  for (size_t i = 0; i < paths.size(); ++i) {
    InputFile& file = inputs.files[i];
    file.label = prefix_of(folders[i], shared) + file.path.filename().string();
    if (!is_tar(paths[i])) file.prefix = prefix_of(file.root, inputs.media_root);
  }
  return inputs;
}

}  // namespace

std::vector<Item> ItemSource::read(int64_t shard) const {
  std::vector<Item> items;
  const std::unique_ptr<ItemReader> reader = open(shard);
  while (std::optional<Item> item = reader->next()) items.push_back(std::move(*item));
  return items;
}

std::unique_ptr<ItemSource> open_source(const InputConfig& input, const fs::path& work) {
  VL3_CHECK(input.data_root.empty() || fs::is_directory(input.data_root), kNotFound,
            "{}: the data root is no folder", input.data_root);
  const Inputs inputs = name_inputs(expand(input), input.data_root);
  std::vector<std::unique_ptr<ItemSource>> parts;
  std::string fault, first_fault;
  size_t broken = 0;
  int folders = 0;
  for (const InputFile& file : inputs.files) {
    const fs::path& path = file.path;
    if (fs::is_directory(path)) {
      const FolderListing listing = list_folder(path, file.root, fs::weakly_canonical(work).parent_path(),
                                                work / fmt::format("listing-{}", folders++));
      for (const std::string& note : listing.notes) logger().warn("{}: {}", path.string(), note);
      parts.push_back(folder_source(file, input, listing.file, listing.digest));
    } else if (path.extension() == ".jsonl") {
      parts.push_back(jsonl_source(file, input));
    } else if (path.extension() == ".json") {
      parts.push_back(json_source(file, input));
    } else {
      VL3_CHECK(is_tar(path), kUnsupported, "{}: expected a folder, .jsonl, .json or an uncompressed .tar",
                path.string());
      fault.clear();
      parts.push_back(tar_source(file, input, &fault));
      if (fault.empty()) continue;
      logger().warn("{}", fault);
      if (broken++ == 0) first_fault = fault;
    }
  }
  // One bad tar costs its own line; where there is nothing else, the input itself is wrong.
  VL3_CHECK(broken == 0 || broken < parts.size(), kCorrupt, "{}", first_fault);
  return std::make_unique<JoinedSource>(std::move(parts), inputs.media_root);
}

}  // namespace vl3::curate
