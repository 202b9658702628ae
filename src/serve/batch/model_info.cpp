#include "serve/batch/model_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/digest.h"
#include "core/file.h"

namespace vl3::serve {

ModelInfo describe_model(const engine::Runtime& runtime) {
  ModelInfo info;
  info.path = runtime.config.dir.string();
  info.max_model_len = runtime.config.text.max_position_embeddings;
  info.vocab_size = runtime.config.text.vocab_size;
  info.hidden_size = runtime.config.text.hidden_size;
  info.dtype = runtime.weight_dtype == at::kFloat ? "float32" : "bfloat16";
  info.takes_media = runtime.config.image_token_id >= 0;
  for (const at::Tensor& parameter : runtime.model->parameters()) {
    info.num_parameters += parameter.numel();
    info.weight_bytes += parameter.nbytes();
  }
  for (const auto& [name, weight] : runtime.packed_weights()) {
    const std::vector<int64_t>& shape = runtime.checkpoint->quantised(name)->shape;
    info.num_parameters += shape[0] * shape[1];
    info.weight_bytes += static_cast<int64_t>(weight->bytes());
  }
  std::error_code error;
  if (std::filesystem::exists(runtime.config.dir / "NOTICE", error))
    info.notice = read_file(runtime.config.dir / "NOTICE", 4096);
  return info;
}

std::string model_fingerprint(const engine::Runtime& runtime) {
  std::string text = fmt::format("{}|{}|", static_cast<int>(runtime.weight_dtype),
                                 flow_name(runtime.config.preprocess.flow));
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(runtime.config.dir)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors"))
      files.push_back(fmt::format("{}:{}:{}", name, entry.file_size(),
                                  entry.last_write_time().time_since_epoch().count()));
    if (name == "config.json" || name.ends_with("processor_config.json"))
      files.push_back(read_file(entry.path(), 1 << 20));
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) text += file + ";";
  return sha256_hex(text);
}

}  // namespace vl3::serve
