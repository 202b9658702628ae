#include "support/golden_tensors.h"

#include <algorithm>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::test {

namespace fs = std::filesystem;

std::vector<int64_t> GoldenTensor::integers() const {
  const auto widen = [](const auto& values) { return std::vector<int64_t>(values.begin(), values.end()); };
  if (dtype == "U8" || dtype == "BOOL") return widen(as<uint8_t>());
  if (dtype == "I32") return widen(as<int32_t>());
  if (dtype == "I64") return as<int64_t>();
  VL3_FAIL(kInternal, "golden tensor has dtype {}, integers are wanted", dtype);
}

GoldenTensors::GoldenTensors(const fs::path& path) : path_(path) {
  const std::string content = read_file(path, 1ull << 30);
  uint64_t header = 0;
  VL3_CHECK(content.size() >= 8, kCorrupt, "{}: no safetensors file", path.string());
  std::memcpy(&header, content.data(), 8);
  VL3_CHECK(header <= content.size() - 8, kCorrupt, "{}: header of {} bytes", path.string(), header);
  const std::string_view data = std::string_view(content).substr(8 + header);
  const Json entries = parse_json(std::string_view(content).substr(8, header), path.string());
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = entry.at("data_offsets").get<std::vector<uint64_t>>();
    VL3_CHECK(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data.size(), kCorrupt,
              "{}: tensor {} lies outside the file", path.string(), name);
    tensors_[name] = {entry.at("dtype").get<std::string>(), entry.at("shape").get<std::vector<int64_t>>(),
                      std::string(data.substr(offsets[0], offsets[1] - offsets[0]))};
  }
}

const GoldenTensor& GoldenTensors::at(const std::string& name) const {
  const auto it = tensors_.find(name);
  VL3_CHECK(it != tensors_.end(), kNotFound, "{}: no tensor {}", path_.string(), name);
  return it->second;
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  const fs::path manifest = golden_dir() / "manifest.json";
  if (!fs::exists(manifest)) return cases;
  const Json json = read_json_file(manifest);
  for (const Json& listed : json.at("cases")) {
    GoldenCase one;
    one.name = listed.get<std::string>();
    const std::string stem = (golden_dir() / one.name).string();
    one.tensors = stem + ".safetensors";
    VL3_CHECK(fs::exists(stem + ".json") && fs::exists(one.tensors), kNotFound,
              "{}: lists {}, but its .json or .safetensors is missing", manifest.string(), one.name);
    one.json = read_json_file(stem + ".json");
    one.flow = one.json.at("flow").get<std::string>();
    one.model_dir = golden_dir() / "models" / one.json.at("model").get<std::string>() / one.flow;
    cases.push_back(std::move(one));
  }
  return cases;
}

std::vector<fs::path> golden_models(const std::string& file) {
  std::vector<fs::path> found;
  const fs::path models = golden_dir() / "models";
  if (!fs::exists(models)) return found;
  for (const auto& model : fs::directory_iterator(models)) {
    for (const auto& flow : fs::directory_iterator(model)) {
      if (fs::exists(flow.path() / file)) found.push_back(flow.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace vl3::test
