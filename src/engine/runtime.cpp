#include "engine/runtime.h"

#include <chrono>

#include "core/check.h"
#include "engine/device.h"

namespace vl3::engine {
namespace {

at::ScalarType parse_dtype(const std::string& name, weights::DType stored) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  VL3_CHECK(name == "auto", kInvalidArgument, "dtype \"{}\": expected auto, float32 or bfloat16", name);
  // float16 weights are widened: bfloat16 would drop three of their bits.
  return stored == weights::DType::kBF16 ? at::kBFloat16 : at::kFloat;
}

}  // namespace

Runtime::Runtime(weights::ModelConfig loaded, std::shared_ptr<const weights::Checkpoint> opened,
                 VideoLlama3 network, at::Device on, at::ScalarType weights_as)
    : config(std::move(loaded)),
      checkpoint(std::move(opened)),
      model(std::move(network)),
      device(on),
      weight_dtype(weights_as),
      activation_dtype(on.is_cpu() ? at::kFloat : weights_as) {}

std::shared_ptr<const Runtime> Runtime::load(const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const at::Device device = parse_device(options.device);
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
  runtime->load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return runtime;
}

const text::Tokenizer& Runtime::tokenizer() const {
  std::call_once(tokenizer_read_, [&] { tokenizer_.emplace(text::Tokenizer::load(config.dir)); });
  return *tokenizer_;
}

const sampling::Constraint& Runtime::constraint() const {
  std::call_once(constraint_made_, [&] {
    sampling::TokenTable table;
    table.bytes = tokenizer().all_token_bytes();
    table.vocab_size = config.text.vocab_size;
    table.bytes.resize(static_cast<size_t>(std::min<int64_t>(tokenizer().vocab_size(), table.vocab_size)));
    for (int64_t id = 0; id < static_cast<int64_t>(table.bytes.size()); ++id) {
      if (tokenizer().is_added(id)) table.special_ids.push_back(id);
    }
    table.stop_ids = config.generation.eos_token_id;
    constraint_ = std::make_unique<const sampling::Constraint>(table);
  });
  return *constraint_;
}

}  // namespace vl3::engine
