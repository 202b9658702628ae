// The JSON header of a safetensors file as written, before its numbers are believed. Internal to weights/.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::weights {

struct RawTensor {
  std::string name;
  std::optional<std::string> dtype = {};
  std::optional<std::vector<uint64_t>> shape = {}, data_offsets = {};  ///< each number at most INT64_MAX
};

struct RawHeader {
  std::vector<RawTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Streams the header in one pass without building a JSON tree, so a hostile one costs no more than its
/// length.
/// @param file  named in errors.
/// @throws Error(kCorrupt) for text that is not JSON in UTF-8, another structure, wrong types, a name or key
/// given twice (two readers could see different files), more tensors or dimensions than the limits of
/// safetensors.h.
RawHeader parse_safetensors_header(std::string_view text, const std::string& file);

}  // namespace vl3::weights
