#include "serve/batch/sequence.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "core/check.h"
#include "core/digest.h"

namespace vl3::serve {
namespace {

GenerationConfig config_of(const Job& job, int choice) {
  GenerationConfig config = job.options.generation;
  config.seed += static_cast<uint64_t>(choice);
  return config;
}

}  // namespace

Sequence::Sequence(const engine::Runtime& runtime, std::shared_ptr<Group> of, int number,
                   engine::Request prepared, std::optional<sampling::Matcher> matcher)
    : group(std::move(of)),
      choice(number),
      request(std::move(prepared)),
      runtime_(runtime),
      chooser_(config_of(*group->job, number), runtime.config, runtime.tokenizer(), std::move(matcher)) {}

void Sequence::start(engine::VisionMemory memory, std::function<void()> arrived, int64_t batch_patches) {
  engine::PromptRowsHooks hooks;
  hooks.arrived = std::move(arrived);
  hooks.cancelled = [g = group.get()] { return g->cancelled.load(); };
  if (group->job->progress) {
    hooks.progress = [g = group.get()](const char* stage, int64_t done, int64_t total) {
      g->events.progress(stage, done, total, 0);
    };
  }
  rows_ = std::make_unique<engine::PromptRows>(runtime_, request, std::move(memory), std::move(hooks),
                                               batch_patches);
  names_.clear();
  medium_digests_.clear();
  for (size_t m = 0; m < request.media.size(); ++m) {
    const PageName name = sha256(rows_->medium_key(m));
    medium_digests_.emplace_back(name.begin(), name.end());
  }
  matching = true;
  published = 0;
}

int64_t Sequence::known() const {
  if (rows_ == nullptr) return 0;
  return static_cast<int64_t>(rows_->ids().size()) + (rows_->whole() ? generated() : 0);
}

at::Tensor Sequence::take(int64_t computed, int64_t count) {
  const auto prompt = static_cast<int64_t>(rows_->ids().size());
  std::vector<at::Tensor> parts;
  const int64_t of_prompt = std::clamp<int64_t>(prompt - computed, 0, count);
  if (of_prompt > 0) parts.push_back(rows_->take(of_prompt));
  if (of_prompt < count) {
    const auto first = generated_.begin() + std::max<int64_t>(0, computed - prompt);
    const std::vector<int64_t> ids(first, first + (count - of_prompt));
    parts.push_back(runtime_.model->language_model->embed(at::tensor(ids, at::kLong)));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

// Everything up to the page's last row: the names before it, its rows' keys, and for rows of a medium the
// hash of its whole content key (a row's 64-bit key alone could be made to collide).
PageName Sequence::name_page(int64_t end, int64_t page_rows) {
  const auto page = static_cast<size_t>(end / page_rows) - 1;
  while (names_.size() <= page) {
    const PageName before = names_.empty() ? sha256("salt:" + group->job->cache_salt) : names_.back();
    Digest hash;
    hash.add(before.data(), before.size());
    const auto prompt = static_cast<int64_t>(rows_->ids().size());
    const auto begin = static_cast<int64_t>(names_.size()) * page_rows;
    for (int64_t row = begin; row < begin + page_rows; ++row) {
      const bool generated = row >= prompt;
      const uint64_t key = generated ? static_cast<uint64_t>(generated_[static_cast<size_t>(row - prompt)])
                                     : rows_->keys()[static_cast<size_t>(row)];
      hash.add(&key, sizeof key);
      const int32_t medium = generated ? -1 : rows_->media()[static_cast<size_t>(row)];
      if (medium >= 0) hash.add(medium_digests_[static_cast<size_t>(medium)].data(), 32);
    }
    std::ranges::copy(hash.bytes(), names_.emplace_back().begin());
  }
  return names_[page];
}

Delta Sequence::sample(std::span<float> logits) {
  if (!std::exchange(prompt_accepted_, true)) chooser_.accept_prompt(rows_->ids());
  const Job& job = *group->job;
  std::vector<float> raw;
  if (job.top_logprobs >= 0) raw.assign(logits.begin(), logits.end());
  const auto [id, ends, step] = chooser_.choose(logits);
  generated_.push_back(id);

  Delta delta;
  delta.choice = choice;
  TokenEvent token;
  token.id = id;
  if (job.top_logprobs >= 0) {
    sampling::Logprobs logprobs = sampling::raw_logprobs(raw, id, job.top_logprobs);
    token.logprob = logprobs.chosen.logprob;
    token.top = std::move(logprobs.top);
  }
  delta.tokens.push_back(std::move(token));
  delta.text = step.text;
  if (step.finish) {
    delta.finish_reason = sampling::finish_reason_name(*step.finish);
    const auto& eos = runtime_.config.generation.eos_token_id;
    const bool model_ended = ends && std::find(eos.begin(), eos.end(), id) != eos.end();
    if (*step.finish == sampling::FinishReason::kStop && !model_ended) delta.stop_reason = step.detail;
    return delta;
  }
  if (known() >= runtime_.config.text.max_position_embeddings) {
    const Delta end = finish(sampling::FinishReason::kLength);
    delta.text += end.text;
    delta.finish_reason = end.finish_reason;
  }
  return delta;
}

Delta Sequence::finish(sampling::FinishReason reason) {
  Delta delta;
  delta.choice = choice;
  delta.text = chooser_.finish(reason);
  delta.finish_reason = sampling::finish_reason_name(reason);
  return delta;
}

}  // namespace vl3::serve
