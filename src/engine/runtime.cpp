#include "engine/runtime.h"

#include <algorithm>
#include <chrono>

#include "core/check.h"
#include "core/process.h"
#include "core/seconds.h"
#include "engine/device.h"
#include "ops/parallel.h"
#include "weights/huge_pages.h"

namespace vl3::engine {
namespace {

at::ScalarType parse_dtype(const std::string& name, weights::DType stored) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  VL3_CHECK(name == "auto", kInvalidArgument, "dtype \"{}\": expected auto, float32 or bfloat16", name);
  // float16 weights are widened: bfloat16 would drop three of their bits.
  return stored == weights::DType::kBF16 ? at::kBFloat16 : at::kFloat;
}

void check_cache_dtype(const std::string& name, const at::Device& device) {
  VL3_CHECK(name == "auto" || name == "int8", kInvalidArgument,
            "KV cache's dtype \"{}\": expected auto or int8", name);
  VL3_CHECK(name == "auto" || device.is_cpu(), kUnsupported,
            "a KV cache of 8 bits: only on the CPU, not on {}", device.str());
}

}  // namespace

Runtime::Runtime(weights::ModelConfig loaded, std::shared_ptr<const weights::Checkpoint> opened,
                 VideoLlama3 network, at::Device on, at::ScalarType weights_as)
    : config(std::move(loaded)),
      checkpoint(std::move(opened)),
      model(std::move(network)),
      device(on),
      weight_dtype(weights_as),
      kv_dtype(weights_as),
      activation_dtype(on.is_cpu() ? at::kFloat : weights_as) {}

std::shared_ptr<const Runtime> Runtime::load(const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const at::Device device = parse_device(options.device);
  check_cache_dtype(options.kv_cache_dtype, device);
  weights::ModelConfig config = weights::load_model_config(options.model);
  if (options.flow) config.preprocess.flow = *options.flow;
  auto checkpoint =
      std::make_shared<const weights::Checkpoint>(weights::Checkpoint::open(options.model, config));
  const at::ScalarType dtype = parse_dtype(options.dtype, checkpoint->dtype());
  nn::CheckpointSource source(checkpoint, dtype, device);
  VideoLlama3 model(source, config);
  model->eval();
  std::shared_ptr<Runtime> runtime(
      new Runtime(std::move(config), std::move(checkpoint), std::move(model), device, dtype));
  runtime->packed_ = source.all_packed();
  if (options.kv_cache_dtype == "int8") runtime->kv_dtype = at::kChar;
  runtime->load_seconds = seconds_since(start);
  return runtime;
}

std::shared_ptr<const Runtime> Runtime::with_network(VideoLlama3 network, at::ScalarType weights_as) const {
  network->eval();
  return std::shared_ptr<const Runtime>(
      new Runtime(config, checkpoint, std::move(network), device, weights_as));
}

uint64_t Runtime::bytes_before_requests(uint64_t of_request) const {
  std::call_once(bytes_measured_, [&] {
    const uint64_t resident = resident_bytes();
    bytes_before_requests_ = resident - std::min(resident, of_request);
  });
  return bytes_before_requests_;
}

const text::Tokenizer& Runtime::tokenizer() const {
  std::call_once(tokenizer_read_, [&] {
    text::Tokenizer tokenizer = text::Tokenizer::load(config.dir);
    VL3_CHECK(tokenizer.vocab_size() <= config.text.vocab_size, kCorrupt,
              "{}: the tokenizer has {} tokens, the model {}: is it another model's?", config.dir.string(),
              tokenizer.vocab_size(), config.text.vocab_size);
    tokenizer_.emplace(std::move(tokenizer));
  });
  return *tokenizer_;
}

bool Runtime::weights_are_mapped() const {
  const weights::DType stored = checkpoint->dtype();
  return device.is_cpu() && ((stored == weights::DType::kBF16 && weight_dtype == at::kBFloat16) ||
                             (stored == weights::DType::kF32 && weight_dtype == at::kFloat));
}

void Runtime::prepare_decoding() const {
  std::call_once(decoding_prepared_, [&] {
    if (!weights_are_mapped()) return;
    std::vector<std::span<const std::byte>> tensors;
    uint64_t bytes = 0;
    for (const weights::ExpectedTensor& tensor : checkpoint->tensors()) {
      const bool rows_only = !config.text.tie_word_embeddings && tensor.name.ends_with("embed_tokens.weight");
      const bool decodes =
          tensor.name.starts_with("model.language_model.") || tensor.name.starts_with("lm_head.");
      if (!decodes || rows_only || checkpoint->quantised(tensor.name) != nullptr) continue;
      tensors.push_back(checkpoint->view(tensor.name).bytes());
      bytes += tensors.back().size();
    }
    // The file's pages stay in the system's cache, where others may want them.
    if (weights::available_memory_bytes() < bytes + bytes / 4) return;
    std::sort(tensors.begin(), tensors.end(), [](auto a, auto b) { return a.data() < b.data(); });
    std::vector<std::span<const std::byte>> pieces;
    for (size_t i = 0; i < tensors.size();) {
      const std::byte* const begin = tensors[i].data();
      const std::byte* end = begin;
      for (; i < tensors.size() && (end == begin || tensors[i].data() == end); ++i)
        end = tensors[i].data() + tensors[i].size();
      const auto found = weights::huge_page_pieces({begin, end});
      pieces.insert(pieces.end(), found.begin(), found.end());
    }
    ops::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        if (!weights::move_to_huge_pages(pieces[static_cast<size_t>(i)])) break;
    });
  });
}

const sampling::Constraint& Runtime::constraint() const {
  std::call_once(constraint_made_, [&] {
    sampling::TokenTable table;
    table.bytes = tokenizer().all_token_bytes();
    table.vocab_size = config.text.vocab_size;
    for (int64_t id = 0; id < static_cast<int64_t>(table.bytes.size()); ++id) {
      if (tokenizer().is_added(id)) table.special_ids.push_back(id);
    }
    table.stop_ids = config.generation.eos_token_id;
    constraint_ = std::make_unique<const sampling::Constraint>(table);
  });
  return *constraint_;
}

}  // namespace vl3::engine
