#include "weights/compose.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "core/check.h"
#include "core/file.h"
#include "weights/config_files.h"
#include "weights/config_writer.h"
#include "weights/hf_names.h"
#include "weights/model_folder.h"
#include "weights/random_init.h"
#include "weights/safetensors.h"
#include "weights/shard_index.h"
#include "weights/staged_folder.h"
#include "weights/tensor_stream.h"
#include "weights/tokenizer_convert.h"

namespace vl3::weights {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVision = "model.vision_model.";

// A folder's tensors under canonical names; files stay mapped while it lives.
struct Source {
  fs::path dir = {};
  std::vector<std::unique_ptr<SafetensorsFile>> files = {};
  std::map<std::string, const TensorView*> tensors = {};
  std::vector<std::string> dropped = {};
};

// @param name_of  canonical name of a file's tensor; "" to drop it; nullopt where it belongs to no such
// model.
template <typename NameOf>
Source open_source(const fs::path& dir, const NameOf& name_of) {
  Source source{.dir = dir};
  for (const std::string& file : find_shards(dir).files) {
    source.files.push_back(std::make_unique<SafetensorsFile>(dir / file));
    for (const auto& [name, view] : source.files.back()->tensors()) {
      const std::optional<std::string> canonical = name_of(name);
      VL3_CHECK(canonical.has_value(), kCorrupt, "{}: tensor {:.100} belongs to no model of this kind",
                (dir / file).string(), name);
      if (canonical->empty()) {
        source.dropped.push_back(name);
        continue;
      }
      VL3_CHECK(is_weight_dtype(view.dtype), kUnsupported,
                "{}: tensor {:.100} is {}, expected F32, BF16 or F16", (dir / file).string(), name,
                dtype_name(view.dtype));
      VL3_CHECK(source.tensors.emplace(*canonical, &view).second, kCorrupt,
                "{}: tensor {:.100} is given twice", dir.string(), name);
    }
  }
  return source;
}

const TensorView& take(const Source& source, const ExpectedTensor& tensor) {
  const auto it = source.tensors.find(tensor.name);
  VL3_CHECK(it != source.tensors.end(), kCorrupt, "{}: the weights lack {}", source.dir.string(),
            tensor.name);
  VL3_CHECK(it->second->shape == tensor.shape, kCorrupt, "{}: {} has shape [{}], its config says [{}]",
            source.dir.string(), tensor.name, fmt::join(it->second->shape, ", "),
            fmt::join(tensor.shape, ", "));
  return *it->second;
}

Json config_json(const fs::path& dir, const char* kind) {
  std::error_code ignored;
  VL3_CHECK(fs::exists(dir / "config.json", ignored), kNotFound,
            "{}: no config.json here; expected the folder of {}", dir.string(), kind);
  return read_json_file(dir / "config.json", kMaxConfigBytes);
}

std::string model_type(const Json& config, const fs::path& dir) {
  return JsonView(config, (dir / "config.json").string()).string("model_type");
}

bool is_whole_model(const std::string& type) {
  return type == "videollama3_qwen2" || type == "video_llama_3" || type == "videollama3";
}

VisionConfig vision_config(const fs::path& dir) {
  const Json config = config_json(dir, "a SigLIP, VL3-SigLIP-NaViT or VideoLLaMA3 model");
  const JsonView view(config, (dir / "config.json").string());
  const std::string type = model_type(config, dir);
  if (is_whole_model(type)) return load_model_config(dir).vision;
  if (type == "siglip") {
    VL3_CHECK(view.has("vision_config"), kCorrupt, "{}: \"vision_config\" is missing", view.where());
    return load_vision_section(view.object("vision_config"));
  }
  VL3_CHECK(
      type == "siglip_vision_model" || type == "videollama3_vision_encoder" || type == "video_llama_3_vision",
      kUnsupported,
      "{}: model_type \"{}\" is no vision tower of SigLIP's kind; expected siglip, siglip_vision_model, "
      "videollama3_vision_encoder or a VideoLLaMA3 model",
      view.where(), type);
  return load_vision_section(view);
}

// Names of a tower's tensors in any of the files it comes in; what VideoLLaMA3 has no place for is dropped.
std::optional<std::string> vision_name(std::string_view name) {
  for (const std::string_view prefix :
       {"model.", "vision_model.", "vision_encoder.", "vision_encoder.", "vision_tower."}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  if (name.starts_with("embeddings.position_") || name.starts_with("head.") ||
      name.starts_with("text_model.") || name == "logit_scale" || name == "logit_bias") {
    return "";
  }
  if (name.starts_with("embeddings.") || name.starts_with("encoder.") ||
      name.starts_with("post_layernorm.")) {
    return std::string(kVision) + std::string(name);
  }
  return std::nullopt;
}

Source open_vision(const fs::path& dir) {
  if (!is_whole_model(model_type(config_json(dir, "a vision tower"), dir)))
    return open_source(dir, vision_name);
  return open_source(dir, [](const std::string& name) -> std::optional<std::string> {
    const std::optional<std::string> canonical = canonical_name(name);
    return canonical && canonical->starts_with(kVision) ? *canonical : "";
  });
}

Source open_lm(const fs::path& dir, bool tied) {
  return open_source(dir, [tied](const std::string& name) -> std::optional<std::string> {
    if (tied && name == "lm_head.weight") return "";
    const std::optional<std::string> canonical = canonical_name(name);
    const bool known =
        canonical && (canonical->starts_with("model.language_model.") || *canonical == "lm_head.weight");
    return known ? canonical : std::nullopt;
  });
}

DType most_bytes(const Source& source) {
  std::map<DType, uint64_t> bytes;
  for (const auto& [name, view] : source.tensors) bytes[view->dtype] += view->size_bytes;
  const auto most = std::max_element(bytes.begin(), bytes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? DType::kF32 : most->first;
}

// Surplus tensors mean that the config is not the weights' own; one of another depth would go unnoticed
// otherwise.
void refuse_unused(const Source& source, const std::vector<ExpectedTensor>& expected) {
  std::map<std::string, const TensorView*> left = source.tensors;
  for (const ExpectedTensor& tensor : expected) left.erase(tensor.name);
  VL3_CHECK(left.empty(), kCorrupt, "{}: {} tensors that its config has no place for, the first is {}",
            source.dir.string(), left.size(), left.begin()->first);
}

}  // namespace

ComposeReport compose_checkpoint(const fs::path& vision, const fs::path& lm, const fs::path& out,
                                 const ComposeOptions& options) {
  const Json lm_json = config_json(lm, "a Qwen2 or Qwen2.5 model");
  const std::string type = model_type(lm_json, lm);
  VL3_CHECK(type == "qwen2", kUnsupported,
            "{}: model_type \"{}\" is not supported, only \"qwen2\" (Qwen2 and Qwen2.5)",
            (lm / "config.json").string(), type);
  const JsonView text_view(lm_json, (lm / "config.json").string());

  ModelConfig config;
  config.layout = options.to;
  config.vision = vision_config(vision);
  config.text = load_text_section(text_view);
  config.preprocess.patch_size = config.vision.patch_size;
  config.generation = load_generation_defaults(lm, text_view, config.text.vocab_size);
  const Source tower = open_vision(vision), decoder = open_lm(lm, config.text.tie_word_embeddings);

  ComposeReport report{.dtype = options.dtype.value_or(most_bytes(decoder))};
  report.dropped = tower.dropped;
  report.dropped.insert(report.dropped.end(), decoder.dropped.begin(), decoder.dropped.end());
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  refuse_unused(tower, expected);
  refuse_unused(decoder, expected);

  std::vector<OutTensor> tensors;
  int64_t fan_in = 1;
  for (const ExpectedTensor& tensor : expected) {
    OutTensor target{.info = {layout_name(tensor.name, options.to), report.dtype, tensor.shape},
                     .produce = {}};
    report.bytes += target.info.size_bytes();
    if (tensor.name.starts_with("model.projector.")) {
      if (tensor.shape.size() == 2) fan_in = tensor.shape[1];  // a linear's weight comes before its bias
      const uint64_t count = target.info.size_bytes() / static_cast<uint64_t>(dtype_size(report.dtype));
      const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
      target.produce = [&options, &tensor, &report, count, bound](const ByteSink& sink) {
        produce_uniform(tensor.name, count, bound, options.seed, report.dtype, sink);
      };
    } else {
      const TensorView& view = take(tensor.name.starts_with(kVision) ? tower : decoder, tensor);
      target.produce = [&view, &tensor, &report](const ByteSink& sink) {
        stream_tensor(view, tensor.name, report.dtype, sink);
      };
    }
    tensors.push_back(std::move(target));
  }
  report.tensors = tensors.size();

  StagedFolder folder(out);
  const PlaceholderIds ids = extend_tokenizer(lm, folder.path(), options.to, config.text.vocab_size);
  config.image_token_id = ids.image;
  config.video_token_id = ids.video;
  std::error_code ignored;
  if (fs::exists(lm / "generation_config.json", ignored)) {
    write_file_atomically(folder.path() / "generation_config.json",
                          read_file(lm / "generation_config.json", kMaxConfigBytes));
  }
  write_new_side_files(config, options.to, report.dtype, lm_json, folder.path());
  write_and_verify(folder.path(), tensors, options.max_shard_size, options.progress);
  folder.commit();
  return report;
}

}  // namespace vl3::weights
