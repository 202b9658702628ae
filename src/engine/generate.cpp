#include "engine/generate.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <functional>
#include <numeric>

#include "core/check.h"
#include "core/seconds.h"
#include "engine/prompt_lookup.h"

namespace vl3::engine {

// Moving a 2B model's weights takes as long as 50 tokens gain.
constexpr int64_t kTokensWorthPreparing = 64;
// Guesses checked in one step, with the token before them: rows that read a weight once (ops::kStreamedRows).
constexpr int64_t kMostDrafts = 7;
// Below so many parameters a step does not wait for its weights, and more rows cost more time.
constexpr int64_t kParametersWorthGuessing = 256'000'000;

int64_t default_drafts(const Runtime& runtime) {
  int64_t parameters = 0;
  for (const weights::ExpectedTensor& tensor : runtime.checkpoint->tensors()) {
    if (!tensor.name.starts_with("model.language_model.")) continue;
    parameters += std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies());
  }
  return parameters >= kParametersWorthGuessing ? kMostDrafts : 0;
}

std::optional<sampling::Matcher> make_matcher(const Runtime& runtime, const GenerationConfig& config) {
  if (!config.json_schema.empty()) {
    return sampling::Matcher(runtime.constraint().compile_json_schema(config.json_schema));
  }
  if (config.json_object) return sampling::Matcher(runtime.constraint().compile_json_object());
  if (!config.regex.empty()) return sampling::Matcher(runtime.constraint().compile_regex(config.regex));
  return std::nullopt;
}

void validate(const GenerationConfig& config, const weights::ModelConfig& model) {
  const int constraints = static_cast<int>(!config.json_schema.empty()) +
                          static_cast<int>(config.json_object) + static_cast<int>(!config.regex.empty());
  VL3_CHECK(constraints <= 1, kInvalidArgument,
            "json_schema, json_object and regex exclude one another: give one");
  // Once the text is whole, the end of the sequence is all that a constraint allows.
  VL3_CHECK(constraints == 0 || !config.ignore_eos, kInvalidArgument,
            "ignore_eos excludes json_schema, json_object and regex: such an answer ends where it is whole");
  sampling::validate(sampling_options(config, model));
  const sampling::StopCondition checks_its_options(stop_options(config, model));
  const int64_t drafts = config.prompt_lookup_num_tokens.value_or(0);
  VL3_CHECK(drafts >= 0 && drafts <= kMostDrafts, kInvalidArgument,
            "prompt_lookup_num_tokens {}: expected 0 to {}", drafts, kMostDrafts);
}

GenerateResult generate(const Runtime& runtime, lm::KvCache& cache, const PrefillResult& prefilled,
                        const GenerationConfig& config, std::optional<sampling::Matcher> matcher,
                        const Callbacks& callbacks, std::vector<uint64_t>& keys) {
  const c10::InferenceMode inference;
  const auto start = std::chrono::steady_clock::now();
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
  PromptLookup lookup(prefilled.ids, config.prompt_lookup_num_tokens.value_or(default_drafts(runtime)));
  at::Tensor logits = runtime.model->logits(prefilled.last_hidden_1D).to(at::kCPU).contiguous();  // [R, V]
  std::vector<int64_t> drafts;  // the R - 1 tokens that were fed in with the last one chosen
  int64_t row = 0;              // of logits: what comes next
  // Takes guesses that were wrong, or came too late, out of the cache.
  const auto settle = [&] {
    if (!drafts.empty()) lookup.accepted(row, static_cast<int64_t>(drafts.size()));
    drafts.clear();
    cache.truncate(static_cast<int64_t>(keys.size()));
  };
  if (config.max_tokens >= kTokensWorthPreparing) runtime.prepare_decoding();
  while (true) {
    if (callbacks.cancelled && callbacks.cancelled()) {
      finish(sampling::FinishReason::kCancelled);
      break;
    }
    const int64_t V = logits.size(-1);
    const auto [id, ends, step] =
        chooser.choose({logits.data_ptr<float>() + row * V, static_cast<size_t>(V)});
    if (result.token_ids.empty()) result.first_token_seconds = seconds_since(start);
    result.token_ids.push_back(id);
    say(step.text);
    if (step.finish) {
      result.finish_reason = sampling::finish_reason_name(*step.finish);
      break;
    }
    const int64_t free = runtime.config.text.max_position_embeddings - static_cast<int64_t>(keys.size()) - 1;
    if (free <= 0) {
      finish(sampling::FinishReason::kLength);
      break;
    }
    lookup.push(id);
    if (row < static_cast<int64_t>(drafts.size()) && drafts[static_cast<size_t>(row)] == id) {
      keys.push_back(static_cast<uint64_t>(id));
      ++row;  // guessed right: the next row of logits is there
      continue;
    }
    settle();
    keys.push_back(static_cast<uint64_t>(id));
    const auto left = config.max_tokens - static_cast<int64_t>(result.token_ids.size());
    drafts = lookup.draft(std::min(free, left) - 1);
    std::vector<int64_t> ids = {id};
    ids.insert(ids.end(), drafts.begin(), drafts.end());
    const lm::Segment segment{0, static_cast<int64_t>(ids.size()), &cache};
    const at::Tensor hidden = runtime.model->language_model->forward(
        runtime.model->language_model->embed(at::tensor(ids, at::kLong).to(runtime.device)), {&segment, 1});
    logits = runtime.model->logits(hidden).to(at::kCPU).contiguous();
    row = 0;
  }
  settle();
  result.num_drafted = lookup.num_drafted();
  result.num_accepted = lookup.num_accepted();
  result.constraint_met = chooser.constraint_met();
  return result;
}

}  // namespace vl3::engine
