#include "engine/generate.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/check.h"

namespace vl3::engine {

// Moving a 2B model's weights takes as long as 50 tokens gain.
constexpr int64_t kTokensWorthPreparing = 64;

std::optional<sampling::Matcher> make_matcher(const Runtime& runtime, const GenerationConfig& config) {
  if (!config.json_schema.empty()) {
    return sampling::Matcher(runtime.constraint().compile_json_schema(config.json_schema));
  }
  if (config.json_object) return sampling::Matcher(runtime.constraint().compile_json_object());
  if (!config.regex.empty()) return sampling::Matcher(runtime.constraint().compile_regex(config.regex));
  return std::nullopt;
}

void validate(const GenerationConfig& config, const weights::ModelConfig& model) {
  VL3_CHECK(static_cast<int>(!config.json_schema.empty()) + static_cast<int>(config.json_object) +
                    static_cast<int>(!config.regex.empty()) <=
                1,
            kInvalidArgument, "json_schema, json_object and regex exclude one another: give one");
  sampling::validate(sampling_options(config, model));
  const sampling::StopCondition checks_its_options(stop_options(config, model));
}

GenerateResult generate(const Runtime& runtime, lm::KvCache& cache, const PrefillResult& prefilled,
                        const GenerationConfig& config, std::optional<sampling::Matcher> matcher,
                        const Callbacks& callbacks, std::vector<uint64_t>& keys) {
  const c10::InferenceMode inference;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  TokenChooser chooser(config, runtime.config, runtime.tokenizer(), std::move(matcher));
  chooser.accept_prompt(prefilled.ids);

  GenerateResult result;
  const auto say = [&](const std::string& text) {
    result.text += text;
    if (callbacks.on_text && !text.empty()) callbacks.on_text(text);
  };
  const auto finish = [&](sampling::FinishReason reason) {
    say(chooser.finish(reason));
    result.finish_reason = sampling::finish_reason_name(reason);
  };
  at::Tensor hidden = prefilled.last_hidden_1D;
  if (config.max_tokens >= kTokensWorthPreparing) runtime.prepare_decoding();
  while (true) {
    if (callbacks.cancelled && callbacks.cancelled()) {
      finish(sampling::FinishReason::kCancelled);
      break;
    }
    at::Tensor logits = runtime.model->logits(hidden).to(at::kCPU).contiguous();
    const auto [id, ends, step] =
        chooser.choose({logits.data_ptr<float>(), static_cast<size_t>(logits.numel())});
    if (result.token_ids.empty()) result.first_token_seconds = seconds();
    result.token_ids.push_back(id);
    say(step.text);
    if (step.finish) {
      result.finish_reason = sampling::finish_reason_name(*step.finish);
      break;
    }
    if (cache.length() + 1 >= runtime.config.text.max_position_embeddings) {
      finish(sampling::FinishReason::kLength);
      break;
    }
    const lm::Segment segment{0, 1, &cache};
    hidden = runtime.model->language_model->forward(
        runtime.model->language_model->embed(at::tensor({id}, at::kLong).to(runtime.device)), {&segment, 1});
    keys.push_back(static_cast<uint64_t>(id));
  }
  result.constraint_met = chooser.constraint_met();
  return result;
}

}  // namespace vl3::engine
