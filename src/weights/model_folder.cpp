#include "weights/model_folder.h"

#include <system_error>

#include "core/check.h"
#include "core/file.h"
#include "weights/chat_templates.h"
#include "weights/checkpoint.h"
#include "weights/config_files.h"
#include "weights/config_writer.h"
#include "weights/tokenizer_convert.h"

namespace vl3::weights {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxCodeBytes = 1ull << 20;

bool copy_if_there(const fs::path& source, const fs::path& out, const std::string& name) {
  std::error_code ignored;
  if (!fs::exists(source / name, ignored)) return false;
  write_file_atomically(out / name, read_file(source / name, kMaxConfigBytes));
  return true;
}

// The checkpoint's own modelling code (auto_map names it) belongs to the remote layout.
void copy_code(const fs::path& source, const fs::path& out) {
  std::error_code error;
  for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->path().extension() != ".py" || !it->is_regular_file(ignored)) continue;
    write_file_atomically(out / it->path().filename(), read_file(it->path(), kMaxCodeBytes));
  }
  VL3_CHECK(!error, kNotFound, "{}: cannot be listed: {}", source.string(), error.message());
}

void set_dtype(Flow layout, DType dtype, Json* config) {
  for (const char* key : {"torch_dtype", "dtype"}) {
    if (config->contains(key)) (*config)[key] = torch_dtype_name(dtype);
  }
  (*config)[layout == Flow::kRemote ? "torch_dtype" : "dtype"] = torch_dtype_name(dtype);
  for (const char* section : {"text_config", "vision_config"}) {
    if (!config->contains(section)) continue;
    for (const char* key : {"torch_dtype", "dtype"}) {
      if ((*config)[section].contains(key)) (*config)[section][key] = torch_dtype_name(dtype);
    }
  }
}

void write_template(Flow layout, const fs::path& out) {
  if (layout == Flow::kNative) {
    write_file_atomically(out / "chat_template.jinja", chat_template(layout));
  } else {
    write_json_file(out / "chat_template.json", {{"chat_template", chat_template(layout)}});
  }
}

void copy_same_layout(const ModelConfig& source, DType dtype, const fs::path& out) {
  Json config = read_json_file(source.dir / "config.json", kMaxConfigBytes);
  set_dtype(source.layout, dtype, &config);
  config.erase("quantization_config");  // what is written is not, unless the writer says so anew
  if (source.mm_projector_type == "linear") config["mm_projector_type"] = "mlp1x_gelu";  // the names written
  write_json_file(out / "config.json", config);
  for (const char* name :
       {"preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json"}) {
    copy_if_there(source.dir, out, name);
  }
  bool has_template = false;
  for (const char* name : {"chat_template.jinja", "chat_template.json"}) {
    has_template |= copy_if_there(source.dir, out, name);
  }
  if (!has_template) write_template(source.layout, out);
  if (source.layout == Flow::kRemote) copy_code(source.dir, out);
  convert_tokenizer(source.dir, out, source.layout, source.layout, source.text.vocab_size);
}

// Of a config made in memory; a folder's own file is copied instead.
void write_generation(const GenerationDefaults& generation, const fs::path& out) {
  write_json_file(out / "generation_config.json", {{"do_sample", generation.do_sample},
                                                   {"eos_token_id", generation.eos_token_id},
                                                   {"min_p", generation.min_p},
                                                   {"repetition_penalty", generation.repetition_penalty},
                                                   {"temperature", generation.temperature},
                                                   {"top_k", generation.top_k},
                                                   {"top_p", generation.top_p}});
}

}  // namespace

void write_side_files(const ModelConfig& source, Flow layout, DType dtype, const fs::path& out) {
  if (source.dir.empty()) {
    write_generation(source.generation, out);
  } else {
    copy_if_there(source.dir, out, "generation_config.json");
  }
  if (!source.dir.empty() && layout == source.layout) return copy_same_layout(source, dtype, out);

  ModelConfig target = source;
  Json source_text = Json::object();
  if (!source.dir.empty()) {
    const PlaceholderIds ids =
        convert_tokenizer(source.dir, out, source.layout, layout, source.text.vocab_size);
    target.image_token_id = ids.image;
    target.video_token_id = ids.video;
    const Json config = read_json_file(source.dir / "config.json", kMaxConfigBytes);
    source_text = source.layout == Flow::kRemote ? config : config.at("text_config");
  }
  write_new_side_files(target, layout, dtype, source_text, out);
}

void write_new_side_files(const ModelConfig& config, Flow layout, DType dtype, const Json& source_text,
                          const fs::path& out) {
  write_json_file(out / "config.json", make_config(config, layout, dtype, source_text));
  write_processor_configs(config.preprocess, layout, out);
  write_template(layout, out);
}

void write_and_verify(const fs::path& folder, const std::vector<OutTensor>& tensors, uint64_t max_shard_size,
                      const ByteProgress& progress) {
  const ModelConfig config = load_model_config(folder);
  write_sharded(folder, tensors, max_shard_size, progress);
  Checkpoint::open(folder, config);
}

}  // namespace vl3::weights
