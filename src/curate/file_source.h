// What the kinds of input files share: shards of one file, and how its items are named. Immutable.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/printable.h"
#include "curate/item.h"

namespace vl3::curate {

/// A file or folder of the input, and what the names in it mean.
struct InputFile {
  std::filesystem::path path;  ///< canonical but for a link at its end
  std::filesystem::path root;  ///< canonical; what media are relative to
  std::string label;           ///< in Item::where; no two files of an input share it
  std::string prefix;          ///< Item::prefix
};

class FileSource : public ItemSource {
 public:
  FileSource(InputFile file, InputConfig input) : file_(std::move(file)), input_(std::move(input)) {}
  int64_t shards() const override { return (count_ + input_.shard_items - 1) / input_.shard_items; }
  int64_t items() const override { return count_; }
  int64_t begin_of(int64_t shard) const override { return shard * input_.shard_items; }
  int64_t size_of(int64_t shard) const override {
    return std::min(input_.shard_items, count_ - begin_of(shard));
  }
  /// By the file's size and time: a change that leaves both is not seen.
  std::string fingerprint() const override {
    const auto time = std::filesystem::last_write_time(file_.path).time_since_epoch().count();
    return fingerprint_of(fmt::format("{} {}", std::filesystem::file_size(file_.path), time));
  }

 protected:
  /// @param state  what changes when the input does.
  std::string fingerprint_of(const std::string& state) const {
    return fmt::format("{}\t{} {}", printable(file_.path.string()), state, printable(file_.root.string()));
  }

  /// @param line  in the file, from 1.
  Item start(int64_t position, int64_t line) const {
    Item item;
    item.position = position;
    item.where = printable(fmt::format("{}:{}", file_.label, line));
    item.root = file_.root;
    item.prefix = file_.prefix;
    return item;
  }

  InputFile file_;
  InputConfig input_;
  int64_t count_ = 0;
};

/// A file whose items can be made in any order.
class IndexedSource : public FileSource {
 public:
  using FileSource::FileSource;
  std::unique_ptr<ItemReader> open(int64_t shard) const override {
    return std::make_unique<Reader>(*this, begin_of(shard), begin_of(shard) + size_of(shard));
  }

 protected:
  virtual Item item_of(int64_t index) const = 0;

 private:
  class Reader : public ItemReader {
   public:
    Reader(const IndexedSource& source, int64_t begin, int64_t end)
        : source_(source), at_(begin), end_(end) {}
    std::optional<Item> next() override {
      if (at_ == end_) return std::nullopt;
      return source_.item_of(at_++);
    }

   private:
    const IndexedSource& source_;
    int64_t at_, end_;
  };
};

/// Lines of JSON, one an item.
std::unique_ptr<ItemSource> jsonl_source(const InputFile& file, const InputConfig& input);

/// A .json list of annotations.
std::unique_ptr<ItemSource> json_source(const InputFile& file, const InputConfig& input);

/// A folder through the list of its files.
/// @param file  the folder. @param listing, digest  as list_folder() gave them.
std::unique_ptr<ItemSource> folder_source(const InputFile& file, const InputConfig& input,
                                          const std::filesystem::path& listing, const std::string& digest);

/// A WebDataset tar. One that cannot be read from its first header on is one item with that reason.
/// @param fault  why it cannot be read, "" where it can.
/// @throws Error(kNotFound) where it cannot be opened: missing, or too many files are open.
std::unique_ptr<ItemSource> tar_source(const InputFile& file, const InputConfig& input, std::string* fault);

}  // namespace vl3::curate
