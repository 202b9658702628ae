// One list of a recipe's data as records that can be had by number, in any order. Immutable, safe from
// several threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/data_config.h"
#include "data/record.h"

namespace vl3::data {

class RecordList {
 public:
  virtual ~RecordList() = default;
  virtual int64_t size() const = 0;
  /// Origin and loader of a record; position and seed are the stream's to set.
  virtual Record record(int64_t index) const = 0;
  /// The k-th record of a pass: every pass takes each record once, in an order of its own.
  virtual int64_t order(uint64_t seed, int64_t pass, int64_t k) const = 0;
  /// Changes when the list's files do: so that a state is not restored onto other data.
  virtual std::string fingerprint() const = 0;
};

/// Of a list's fingerprint: one of its files. @param digest  of the file.
std::string file_fingerprint(const std::filesystem::path& path, int64_t records, uint64_t bytes,
                             const std::string& digest);

/// A data_path: itself, or the files that its *, ? and [...] match, sorted; none where nothing matches.
std::vector<std::filesystem::path> matching_files(const std::string& pattern);

/// Opens a list: .json and .jsonl files, or tars. Each data_path as matching_files() has it.
/// @param list  index into DataConfig::sources, for the records' origins.
/// @param shuffle_window  records of a tar list that are shuffled among each other; see WebDatasetList.
/// @throws Error(kNotFound) when a path names nothing; Error(kInvalidArgument) for a mix of tars and
/// annotation files or an unknown format; as AnnotationFile and WebDatasetList.
std::shared_ptr<const RecordList> open_record_list(const DataSource& source, int64_t list,
                                                   int64_t shuffle_window);

}  // namespace vl3::data
