// One input item before anything about it is known, and how shards of them are read. Plain data and two
// interfaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "curate/curate_config.h"

namespace vl3::curate {

/// A medium that comes with its item: read when it is asked for, so that items which are dropped cost
/// nothing. Safe from several threads; copies share the reader.
class CarriedBytes {
 public:
  /// At most so many bytes from the medium's beginning.
  using Reader = std::function<std::string(uint64_t most)>;
  CarriedBytes() = default;
  CarriedBytes(uint64_t size, Reader reader) : size_(size), reader_(std::move(reader)) {}

  bool operator==(std::nullptr_t) const { return reader_ == nullptr; }  ///< the medium is a file
  uint64_t size() const { return size_; }
  /// Null where the medium is a file.
  /// @throws BadSample for a broken tar; Error(kNotFound) where the tar cannot be opened any more.
  std::shared_ptr<const std::string> load(uint64_t most = UINT64_MAX) const {
    return reader_ == nullptr ? nullptr : std::make_shared<const std::string>(reader_(most));
  }

 private:
  uint64_t size_ = 0;
  Reader reader_;
};

struct Item {
  int64_t position = 0;  ///< in the whole input, from 0
  std::string where;     ///< "a.jsonl:17", "0001.tar:17"; printable, no two files of an input share it
  std::string id;
  std::string media;    ///< the name as the input gives it
  std::string prefix;   ///< before `media` in what is written: "" or "fa/", where folders have no common root
  std::string caption;  ///< "" without one
  Json source;          ///< the annotation; null where there is none
  std::filesystem::path root;            ///< canonical; what `media` is relative to
  CarriedBytes bytes;                    ///< of the medium, where it comes with the item (tars)
  std::optional<double> start_s, end_s;  ///< of a video: the part that the annotation means
  uint64_t text_bytes = 0;     ///< that the annotation was read from: about what the item takes in memory
  std::string reason, detail;  ///< why it cannot be used, "" otherwise; a detail may stand without a reason
};

/// A shard's items, one after the other. One thread.
class ItemReader {
 public:
  virtual ~ItemReader() = default;
  /// @throws Error(kCorrupt) for a file that has changed since it was opened.
  virtual std::optional<Item> next() = 0;
};

/// The input as shards that can be read in any order. Immutable, safe from several threads.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  virtual int64_t shards() const = 0;
  virtual int64_t items() const = 0;
  /// Position of the shard's first item.
  virtual int64_t begin_of(int64_t shard) const = 0;
  virtual int64_t size_of(int64_t shard) const = 0;
  /// Every item of the shard, one for each line, sample or file whatever is wrong with it. The source must
  /// outlive the reader.
  virtual std::unique_ptr<ItemReader> open(int64_t shard) const = 0;
  /// The same all at once: no media, but every annotation.
  std::vector<Item> read(int64_t shard) const;
  /// A line "NAME<tab>…" for each file and folder, NAME canonical; the rest changes when that one does.
  virtual std::string fingerprint() const = 0;
  /// What the names of media that are files are relative to when they are written; "" where none is.
  virtual std::filesystem::path media_root() const { return {}; }
  /// Whether media come with their items (tars).
  virtual bool carries_media() const { return false; }
};

/// @param work  where a folder's list of files is kept; its parent, the output folder, is no input.
/// @throws Error(kNotFound) when a path names nothing; Error(kUnsupported) for another kind of file;
/// Error(kInvalidArgument) for a folder of both tars and pictures; Error(kCorrupt) where all there is are
/// tars and none can be read.
std::unique_ptr<ItemSource> open_source(const InputConfig& input, const std::filesystem::path& work);

}  // namespace vl3::curate
