#include "quantize/verdict.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "core/check.h"
#include "engine/prefill.h"
#include "ops/linear.h"

namespace vl3::quantize {
namespace {

constexpr int64_t kAnswerTokens = 16;

int alive = 0;  // of Float32Products

struct Prompt {
  lm::KvCache cache;
  at::Tensor last_hidden;  // [1, D]
};

Prompt read_prompt(const engine::Runtime& runtime, const Sample& sample) {
  engine::Request request = request_of(runtime, sample, /*answered=*/false);
  Prompt prompt{lm::KvCache(runtime.config.text, 1, runtime.weight_dtype, runtime.device), {}};
  engine::VisionCache no_vision_cache(0);
  prompt.last_hidden =
      engine::prefill(runtime, request, prompt.cache, {}, no_vision_cache, {}, kAnswerTokens).last_hidden_1D;
  return prompt;
}

at::Tensor read_tokens(const engine::Runtime& runtime, lm::KvCache& cache,
                       const std::vector<int64_t>& tokens) {
  const lm::Segment segment{0, static_cast<int64_t>(tokens.size()), &cache};
  const at::Tensor x = runtime.model->language_model->embed(at::tensor(tokens, at::kLong).to(runtime.device));
  return runtime.model->language_model->forward(x, {&segment, 1});
}

// The original's parameters, and the quantised checkpoint's matrices for some parts.
class PartSource : public nn::ParameterSource {
 public:
  PartSource(const engine::Runtime& original, std::shared_ptr<const weights::Checkpoint> quantised,
             const std::set<Part>& parts, nn::PackedWeight::Inputs inputs)
      : plain_(original.checkpoint, original.weight_dtype, original.device),
        quantised_(std::move(quantised), original.weight_dtype, original.device),
        parts_(parts),
        inputs_(inputs) {}

  at::Tensor get(const std::string& name, at::IntArrayRef shape) override { return plain_.get(name, shape); }

  std::shared_ptr<const nn::PackedWeight> packed(const std::string& name, at::IntArrayRef shape) override {
    if (!parts_.contains(part_of(name))) return nullptr;
    auto weight = quantised_.packed(name, shape);
    if (!weight || inputs_ == nn::PackedWeight::Inputs::kRounded) return weight;
    return std::make_shared<const nn::PackedWeight>(
        weight->bytes(), weight->dtype(), [weight] { return weight->get(); }, inputs_);
  }

 private:
  nn::CheckpointSource plain_, quantised_;
  std::set<Part> parts_;
  nn::PackedWeight::Inputs inputs_;
};

}  // namespace

Reference::Reference(const engine::Runtime& original, std::vector<Sample> samples,
                     const std::function<void()>& step)
    : samples_(std::move(samples)) {
  const c10::InferenceMode inference;
  const std::vector<int64_t>& ends = original.config.generation.eos_token_id;
  for (const Sample& sample : samples_) {
    step();
    Prompt prompt = read_prompt(original, sample);
    Answer answer;
    std::vector<at::Tensor> logits;
    at::Tensor hidden = prompt.last_hidden;
    while (true) {
      logits.push_back(original.model->logits(hidden));
      answer.tokens.push_back(logits.back().argmax(-1).item<int64_t>());
      if (static_cast<int64_t>(answer.tokens.size()) == kAnswerTokens ||
          std::ranges::find(ends, answer.tokens.back()) != ends.end())
        break;
      hidden = read_tokens(original, prompt.cache, {answer.tokens.back()});
    }
    answer.logits = at::cat(logits);
    answers_.push_back(std::move(answer));
  }
}

int64_t Reference::positions() const {
  int64_t sum = 0;
  for (const Answer& answer : answers_) sum += static_cast<int64_t>(answer.tokens.size());
  return sum;
}

Loss Reference::loss_of(const engine::Runtime& runtime, const std::function<void()>& step) const {
  const c10::InferenceMode inference;
  Loss loss;
  int64_t agreed = 0;
  for (size_t i = 0; i < samples_.size(); ++i) {
    step();
    const Answer& answer = answers_[i];
    Prompt prompt = read_prompt(runtime, samples_[i]);
    at::Tensor hidden = prompt.last_hidden;
    if (answer.tokens.size() > 1) {
      const at::Tensor later =
          read_tokens(runtime, prompt.cache, {answer.tokens.begin(), answer.tokens.end() - 1});
      hidden = at::cat({hidden, later});
    }
    const at::Tensor found = runtime.model->logits(hidden);
    const at::Tensor wanted_log = at::log_softmax(answer.logits.to(at::kDouble), -1);
    const at::Tensor found_log = at::log_softmax(found.to(at::kDouble), -1);
    const at::Tensor kl = (wanted_log.exp() * (wanted_log - found_log)).sum(-1);
    loss.mean_kl += kl.sum().item<double>();
    loss.max_kl = std::max(loss.max_kl, kl.max().item<double>());
    const at::Tensor same = answer.logits.argmax(-1) == found.argmax(-1);
    agreed += same.sum().item<int64_t>();
    loss.same_answers += same.all().item<bool>() ? 1 : 0;
  }
  const auto all = static_cast<double>(positions());
  loss.mean_kl /= all;
  loss.agreement = static_cast<double>(agreed) / all;
  return loss;
}

std::shared_ptr<const engine::Runtime> with_parts(const engine::Runtime& original,
                                                  std::shared_ptr<const weights::Checkpoint> quantised,
                                                  const std::set<Part>& parts,
                                                  nn::PackedWeight::Inputs inputs) {
  PartSource source(original, std::move(quantised), parts, inputs);
  return original.with_network(engine::VideoLlama3(source, original.config), at::kFloat);
}

Float32Products::Float32Products() {
  if (alive++ == 0) ops::force_bf16_product(ops::Bf16Product::kWidenedTiles);
}

Float32Products::~Float32Products() {
  if (--alive == 0) ops::force_bf16_product(std::nullopt);
}

}  // namespace vl3::quantize
