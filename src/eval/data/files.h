// Reading the datasets' files: JSON that keeps its order, JSON lines, names that stay below the data root.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/json.h"

namespace vl3::eval {

/// The keys in the file's order. @throws as read_json_file().
OrderedJson read_ordered_json(const std::filesystem::path& path);

/// The elements of a file that holds a list. @throws Error(kCorrupt) when it holds something else.
std::vector<Json> read_json_list(const std::filesystem::path& path);

/// One object a line; blank lines count for nothing. @throws Error(kCorrupt) naming the line.
std::vector<Json> read_json_lines(const std::filesystem::path& path);

/// A row of a dataset with typed access that names file and row.
class Row {
 public:
  Row(const Json& json, const std::filesystem::path& file, size_t number);
  std::string text(const char* key) const;
  /// A text or a number, as text.
  std::string text_of(const char* key) const;
  std::vector<std::string> texts(const char* key) const;
  double number(const char* key) const;
  int64_t integer(const char* key) const;
  bool has(const char* key) const { return view_.has(key); }
  const Json& at(const char* key) const { return view_.at(key); }
  const std::string& where() const { return view_.where(); }

 private:
  JsonView view_;
};

/// `name` below `folder`. @throws Error(kCorrupt) for an absolute name or one with "..".
std::filesystem::path below(const std::filesystem::path& folder, const std::string& name,
                            const std::string& where);

/// folder/stem.EXT for the first of mp4, avi, mov, mkv, webm that exists; folder/stem.mp4 where none does.
std::filesystem::path find_video(const std::filesystem::path& folder, const std::string& stem,
                                 const std::string& where);

/// The files of a folder whose names begin and end so, sorted. @throws Error(kNotFound) when there is none.
std::vector<std::filesystem::path> find_parts(const std::filesystem::path& folder, const std::string& prefix,
                                              const std::string& suffix);

}  // namespace vl3::eval
