// CSV as spreadsheet programs and pandas write it. Stateless.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vl3::eval {

/// The rows below the heading, by its names: fields parted by commas, quoted ones with doubled quotes and
/// line breaks inside. @throws Error(kCorrupt) for an open quote, text behind a closed one, a row with more
/// or fewer fields than the heading, a heading that comes twice; Error(kNotFound).
std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& path);

/// Whether pandas.read_csv() takes the field for a missing value.
bool pandas_missing(const std::string& field);

}  // namespace vl3::eval
