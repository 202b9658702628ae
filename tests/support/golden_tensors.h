// Reads the tensors of a golden .safetensors file without torch, and walks the set that golden_dir() holds.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/json.h"

namespace vl3::test {

struct GoldenTensor {
  std::string dtype;  ///< "F32", "I32", "U8", … as in the file
  std::vector<int64_t> shape;
  std::string bytes;  ///< row-major, little endian

  /// The elements as T; T must have the dtype's size.
  template <typename T>
  std::vector<T> as() const {
    VL3_CHECK(bytes.size() % sizeof(T) == 0, kInternal, "golden tensor of {} read as {}-byte elements", dtype,
              sizeof(T));
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  /// The elements of an integer tensor (U8, I32, I64). @throws Error for another dtype.
  std::vector<int64_t> integers() const;
};

class GoldenTensors {
 public:
  explicit GoldenTensors(const std::filesystem::path& path);
  bool has(const std::string& name) const { return tensors_.contains(name); }
  const GoldenTensor& at(const std::string& name) const;
  const std::map<std::string, GoldenTensor>& all() const { return tensors_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, GoldenTensor> tensors_;
};

/// One case of the set: `cases/<model>/<case>.<flow>` with its JSON. Its tensors: GoldenTensors(stem +
/// ".safetensors").
struct GoldenCase {
  std::string name;  ///< as manifest.json lists it
  Json json;
  std::filesystem::path tensors;    ///< the .safetensors file
  std::filesystem::path model_dir;  ///< models/<model>/<flow>
  std::string flow;                 ///< "native" or "remote"
};

/// The cases that manifest.json lists, in that order; none without a manifest. @throws Error(kNotFound) when
/// the files of one are missing: a subset lists what it has.
std::vector<GoldenCase> golden_cases();

/// The models/<model>/<flow> folders of the set that hold `file`, sorted.
std::vector<std::filesystem::path> golden_models(const std::string& file);

}  // namespace vl3::test
