#include "weights/hf_names.h"

#include "core/check.h"

namespace vl3::weights {
namespace {

struct Prefix {
  std::string_view file;
  std::string_view canonical;
};

// Reading: the first prefix that fits wins, so longer ones stand above those they begin with.
constexpr Prefix kReadPrefixes[] = {
    {"model.vision_encoder.vision_encoder.", "model.vision_model."},
    {"model.vision_encoder.", "model.vision_model."},
    {"model.mm_projector.readout.", "model.projector.readout."},
    {"model.mm_projector.", "model.projector.readout.0."},
    {"model.vision_model.", "model.vision_model."},
    {"model.projector.", "model.projector."},
    {"model.language_model.", "model.language_model."},
    {"model.embed_tokens.", "model.language_model.embed_tokens."},
    {"model.layers.", "model.language_model.layers."},
    {"model.norm.", "model.language_model.norm."},
    {"lm_head.", "lm_head."},
};

constexpr Prefix kRemotePrefixes[] = {
    {"model.vision_encoder.", "model.vision_model."},
    {"model.mm_projector.", "model.projector."},
    {"model.", "model.language_model."},
};

class List {
 public:
  void add(std::string name, std::vector<int64_t> shape) {
    tensors.push_back({std::move(name), std::move(shape)});
  }
  void linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    add(name + ".weight", {out, in});
    if (bias) add(name + ".bias", {out});
  }
  void layer_norm(const std::string& name, int64_t width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  }
  std::vector<ExpectedTensor> tensors;
};

void add_vision(const VisionConfig& vision, List* list) {
  const std::string top = "model.vision_model.";
  const int64_t width = vision.hidden_size;
  list->add(top + "embeddings.patch_embedding.weight",
            {width, vision.num_channels, vision.patch_size, vision.patch_size});
  list->add(top + "embeddings.patch_embedding.bias", {width});
  for (int64_t i = 0; i < vision.num_hidden_layers; ++i) {
    const std::string layer = fmt::format("{}encoder.layers.{}.", top, i);
    list->layer_norm(layer + "layer_norm1", width);
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      list->linear(layer + "self_attn." + part, width, width, true);
    }
    list->layer_norm(layer + "layer_norm2", width);
    list->linear(layer + "mlp.fc1", vision.intermediate_size, width, true);
    list->linear(layer + "mlp.fc2", width, vision.intermediate_size, true);
  }
  list->layer_norm(top + "post_layernorm", width);
}

void add_text(const TextConfig& text, List* list) {
  const std::string top = "model.language_model.";
  const int64_t width = text.hidden_size;
  list->add(top + "embed_tokens.weight", {text.vocab_size, width});
  for (int64_t i = 0; i < text.num_hidden_layers; ++i) {
    const std::string layer = fmt::format("{}layers.{}.", top, i);
    list->add(layer + "input_layernorm.weight", {width});
    list->linear(layer + "self_attn.q_proj", text.num_attention_heads * text.head_dim, width, true);
    list->linear(layer + "self_attn.k_proj", text.num_key_value_heads * text.head_dim, width, true);
    list->linear(layer + "self_attn.v_proj", text.num_key_value_heads * text.head_dim, width, true);
    list->linear(layer + "self_attn.o_proj", width, text.num_attention_heads * text.head_dim, false);
    list->add(layer + "post_attention_layernorm.weight", {width});
    list->linear(layer + "mlp.gate_proj", text.intermediate_size, width, false);
    list->linear(layer + "mlp.up_proj", text.intermediate_size, width, false);
    list->linear(layer + "mlp.down_proj", width, text.intermediate_size, false);
  }
  list->add(top + "norm.weight", {width});
  if (!text.tie_word_embeddings) list->add("lm_head.weight", {text.vocab_size, width});
}

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  List list;
  add_vision(config.vision, &list);
  const int64_t depth = projector_depth(config.mm_projector_type);
  for (int64_t i = 0; i < depth; ++i) {  // the odd places are the activations
    list.linear(fmt::format("model.projector.readout.{}", 2 * i), config.text.hidden_size,
                i == 0 ? config.vision.hidden_size : config.text.hidden_size, true);
  }
  add_text(config.text, &list);
  return std::move(list.tensors);
}

std::optional<std::string> canonical_name(std::string_view file_name) {
  for (const Prefix& prefix : kReadPrefixes) {
    if (file_name.starts_with(prefix.file)) {
      return std::string(prefix.canonical) + std::string(file_name.substr(prefix.file.size()));
    }
  }
  return std::nullopt;
}

std::string layout_name(const std::string& canonical, Flow layout) {
  if (layout == Flow::kNative) return canonical;
  for (const Prefix& prefix : kRemotePrefixes) {
    if (canonical.starts_with(prefix.canonical)) {
      return std::string(prefix.file) + canonical.substr(prefix.canonical.size());
    }
  }
  return canonical;
}

}  // namespace vl3::weights
