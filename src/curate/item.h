// One input item before anything about it is known, and how shards of them are read. Plain data and one
// interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "curate/curate_config.h"

namespace vl3::curate {

struct Item {
  int64_t position = 0;  ///< in the whole input, from 0
  std::string where;     ///< "a.jsonl:17", "0001.tar:17"; printable
  std::string id;
  std::string media;                         ///< the name as the input gives it
  std::string caption;                       ///< "" without one
  Json source;                               ///< the annotation; null where there is none
  std::filesystem::path root;                ///< canonical; what `media` is relative to
  std::shared_ptr<const std::string> bytes;  ///< of the medium, where it comes with the item (tars)
  std::string reason, detail;                ///< why it cannot be used, "" otherwise
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
  /// Every item of the shard, one for each line, sample or file whatever is wrong with it.
  virtual std::vector<Item> read(int64_t shard) const = 0;
  /// Changes when the input does.
  virtual std::string fingerprint() const = 0;
};

/// @param work  where a folder's list of files is kept.
/// @throws Error(kNotFound) when a path names nothing; Error(kUnsupported) for another kind of file.
std::unique_ptr<ItemSource> open_source(const InputConfig& input, const std::filesystem::path& work);

/// Official annotations and flat records to an item; `reason` says what is wrong with one that is neither.
/// @param line  one JSON object.
void read_annotation(const std::string& line, const InputConfig& input, Item* item);

}  // namespace vl3::curate
