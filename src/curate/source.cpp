// The kinds of input: lines of JSON, lists in .json, WebDataset tars, and folders through a list of their
// files.
#include <algorithm>

#include "core/check.h"
#include "core/digest.h"
#include "core/printable.h"
#include "curate/folder_listing.h"
#include "curate/item.h"
#include "curate/line_reader.h"
#include "data/annotation_file.h"
#include "data/bad_sample.h"
#include "data/record_list.h"
#include "data/tar_reader.h"
#include "media/sniff.h"
#include "text/utf8.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

// What all kinds share: shards of one file.
class FileSource : public ItemSource {
 public:
  FileSource(fs::path path, fs::path root, InputConfig input)
      : path_(std::move(path)), root_(std::move(root)), input_(std::move(input)) {}
  int64_t shards() const override { return (count_ + input_.shard_items - 1) / input_.shard_items; }
  int64_t items() const override { return count_; }
  int64_t begin_of(int64_t shard) const override { return shard * input_.shard_items; }
  int64_t size_of(int64_t shard) const override {
    return std::min(input_.shard_items, count_ - begin_of(shard));
  }
  std::string fingerprint() const override {
    const auto time = fs::last_write_time(path_).time_since_epoch().count();
    return fmt::format("{} {} {}", printable(path_.string()), fs::file_size(path_), time);
  }

 protected:
  Item start(int64_t position, int64_t line) const {
    Item item;
    item.position = position;
    item.where = printable(fmt::format("{}:{}", path_.filename().string(), line));
    item.root = root_;
    return item;
  }

  fs::path path_, root_;
  InputConfig input_;
  int64_t count_ = 0;
};

class JsonlSource : public FileSource {
 public:
  JsonlSource(const fs::path& path, const fs::path& root, const InputConfig& input, bool listing)
      : FileSource(path, root, input), file_(path), listing_(listing) {
    LineReader reader(file_);
    LineReader::Line line;
    for (; reader.next(&line, false); ++count_) {
      if (count_ % input_.shard_items == 0) begins_.emplace_back(line.begin, line.number);
    }
  }

  std::vector<Item> read(int64_t shard) const override {
    const auto [offset, first_line] = begins_[static_cast<size_t>(shard)];
    LineReader reader(file_, offset, first_line);
    std::vector<Item> items;
    LineReader::Line line;
    while (std::ssize(items) < size_of(shard) && reader.next(&line)) {
      Item item = start(begin_of(shard) + std::ssize(items), line.number);
      if (line.length > LineReader::kMaxLine) {
        item.reason = "line_too_long";
        item.detail = fmt::format("{} bytes; at most {}", line.length, LineReader::kMaxLine);
      } else {
        read_annotation(line.text, input_, &item);
        if (listing_) complete(&item);
      }
      items.push_back(std::move(item));
    }
    VL3_CHECK(std::ssize(items) == size_of(shard), kCorrupt, "{}: has changed since it was opened",
              path_.string());
    return items;
  }

  std::string fingerprint() const override {
    if (!listing_) return FileSource::fingerprint();
    Digest digest;  // a listing is made anew with the same content: its time says nothing
    std::string block(1 << 20, '\0');
    for (uint64_t at = 0; at < file_.size(); at += block.size())
      digest.add(block.data(), file_.read_some(at, block.data(), block.size()));
    return printable(root_.string()) + " " + digest.hex();
  }

 private:
  void complete(Item* item) const {
    if (item->source.is_object() && item->source.value("not_utf8", false)) item->reason = "name_not_utf8";
    item->where = printable(item->media);
    if (item->reason.empty()) read_sidecar(root_, input_, item);
    item->source = nullptr;
  }

  data::RandomAccessFile file_;
  bool listing_;
  std::vector<std::pair<uint64_t, int64_t>> begins_;  // a shard's first line: offset, number
};

class JsonSource : public FileSource {
 public:
  JsonSource(const fs::path& path, const fs::path& root, const InputConfig& input)
      : FileSource(path, root, input), file_(path) {
    count_ = file_.size();
  }
  std::vector<Item> read(int64_t shard) const override {
    std::vector<Item> items;
    for (int64_t i = begin_of(shard); i < begin_of(shard) + size_of(shard); ++i) {
      Item item = start(i, file_.line(i));
      try {
        read_annotation(file_.text(i), input_, &item);
      } catch (const Error& error) {
        item.reason = "line_too_long";
        item.detail = error.what();
      }
      items.push_back(std::move(item));
    }
    return items;
  }

 private:
  data::AnnotationFile file_;
};

class TarSource : public FileSource {
 public:
  TarSource(const fs::path& path, const InputConfig& input)
      : FileSource(path, path.parent_path(), input), tar_(path) {
    count_ = tar_.size();
  }
  std::vector<Item> read(int64_t shard) const override {
    std::vector<Item> items;
    for (int64_t i = begin_of(shard); i < begin_of(shard) + size_of(shard); ++i) {
      Item item = start(i, i + 1);
      try {
        take(tar_.read(i), &item);
      } catch (const Error& error) {
        item.reason = "broken_tar_sample";
        item.detail = error.what();
      }
      items.push_back(std::move(item));
    }
    return items;
  }

 private:
  void take(std::vector<data::TarMember> members, Item* item) const {
    std::string text, name;
    for (data::TarMember& member : members) {
      if (member.extension == "json") {
        read_annotation(member.bytes, input_, item);
        if (item->reason == "no_media") item->reason.clear(), item->detail.clear();
      } else if (member.extension == "txt") {
        text = member.bytes;
      } else if (item->bytes == nullptr &&
                 (media::sniff_still(member.bytes) != media::StillFormat::kNone ||
                  media::sniff_video(member.bytes) || is_picture(member.extension))) {
        name = member.name;
        item->bytes = std::make_shared<const std::string>(std::move(member.bytes));
      }
    }
    if (item->caption.empty() && text::find_invalid_utf8(text) == std::string_view::npos)
      item->caption = text;
    if (!item->reason.empty()) return;
    item->media = printable(name);
    if (item->bytes == nullptr) item->reason = "no_media", item->detail = "no member is a picture or a video";
  }

  static bool is_picture(const std::string& extension) {
    for (const char* known :
         {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "mp4", "webm", "mkv"}) {
      if (extension == known) return true;
    }
    return false;
  }

  data::TarReader tar_;
};

// Several files as one input.
class JoinedSource : public ItemSource {
 public:
  explicit JoinedSource(std::vector<std::unique_ptr<ItemSource>> parts) : parts_(std::move(parts)) {
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
  std::vector<Item> read(int64_t shard) const override {
    const size_t p = part_of(shard);
    std::vector<Item> items = parts_[p]->read(shard - first_shards_[p]);
    for (Item& item : items) item.position += first_items_[p];
    return items;
  }
  std::string fingerprint() const override {
    std::string all;
    for (const auto& part : parts_) all += part->fingerprint() + "\n";
    return sha256_hex(all);
  }

 private:
  size_t part_of(int64_t shard) const {
    return static_cast<size_t>(std::upper_bound(first_shards_.begin(), first_shards_.end(), shard) -
                               first_shards_.begin()) -
           1;
  }
  std::vector<std::unique_ptr<ItemSource>> parts_;
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
      const std::vector<fs::path> tars = fs::is_directory(path) ? tars_in(path) : std::vector<fs::path>{};
      if (tars.empty()) paths.push_back(path);
      paths.insert(paths.end(), tars.begin(), tars.end());
    }
  }
  return paths;
}

}  // namespace

std::unique_ptr<ItemSource> open_source(const InputConfig& input, const fs::path& work) {
  std::vector<std::unique_ptr<ItemSource>> parts;
  int folders = 0;
  VL3_CHECK(input.data_root.empty() || fs::is_directory(input.data_root), kNotFound,
            "{}: the data root is no folder", input.data_root);
  for (const fs::path& path : expand(input)) {
    const fs::path root = fs::canonical(
        input.data_root.empty() ? (fs::is_directory(path) ? path : fs::absolute(path).parent_path())
                                : fs::path(input.data_root));
    if (fs::is_directory(path)) {
      const fs::path listing = work / fmt::format("listing-{}.jsonl", folders++);
      write_listing(fs::canonical(path), root, listing);
      parts.push_back(std::make_unique<JsonlSource>(listing, root, input, true));
    } else if (path.extension() == ".jsonl") {
      parts.push_back(std::make_unique<JsonlSource>(path, root, input, false));
    } else if (path.extension() == ".json") {
      parts.push_back(std::make_unique<JsonSource>(path, root, input));
    } else {
      VL3_CHECK(path.extension() == ".tar", kUnsupported,
                "{}: expected a folder, .jsonl, .json or an uncompressed .tar", path.string());
      parts.push_back(std::make_unique<TarSource>(path, input));
    }
  }
  return std::make_unique<JoinedSource>(std::move(parts));
}

}  // namespace vl3::curate
