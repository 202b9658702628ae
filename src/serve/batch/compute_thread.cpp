// The batch engine's compute thread.
#include <ATen/ops/cat.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/check.h"
#include "core/freed_memory.h"
#include "core/log.h"
#include "core/process.h"
#include "core/seconds.h"
#include "engine/engine_impl.h"
#include "engine/out_of_memory.h"
#include "engine/visual_count.h"
#include "serve/batch/batch_engine.h"

namespace vl3::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kQuiet{1};  // without work: then memory goes back

template <typename Action>
std::optional<Error> failure_of(const Action& action) {
  try {
    engine::naming_out_of_memory([&] { action(); });
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    logger().error("engine: {}", error.what());
    return Error(ErrorCode::kInternal, "internal error; the server's log says more");
  }
}

}  // namespace

void BatchEngine::run() {
  const c10::InferenceMode inference;
  runtime_->prepare_decoding();
  while (true) {
    take_new();
    drop_cancelled();
    const bool encoded = prepare_prompts();
    const Scheduler::Step step = scheduler_.next();
    for (const uint64_t id : step.set_back) set_back(id);
    for (const uint64_t id : step.admitted) {
      Group& group = *sequences_.at(id)->group;
      if (group.admitted == Clock::time_point()) {
        group.admitted = Clock::now();
        group.result.queue_seconds = std::chrono::duration<double>(group.admitted - group.submitted).count() -
                                     group.result.receipt.seconds.open;
      }
    }
    if (!step.work.empty()) compute(step.work);
    for (const uint64_t id : step.too_long) too_long(id);
    update_stats();
    const bool idle = !encoded && step.work.empty() && step.admitted.empty() && step.too_long.empty() &&
                      step.set_back.empty();
    std::unique_lock lock(mutex_);
    const auto wanted = [&] { return poked_ || stopping_; };
    if (idle && !changed_.wait_for(lock, kQuiet, wanted)) {
      lock.unlock();
      return_freed_memory();
      lock.lock();
      changed_.wait(lock, wanted);
    }
    poked_ = false;
    if (stopping_ && sequences_.empty() && incoming_.empty()) return;
  }
}

void BatchEngine::take_new() {
  std::vector<std::unique_ptr<Sequence>> fresh;
  {
    const std::lock_guard lock(mutex_);
    fresh.swap(incoming_);
  }
  for (auto& sequence : fresh) {
    const uint64_t id = next_id_++;
    scheduler_.add(id, sequence->group->job->priority);
    sequences_.emplace(id, std::move(sequence));
  }
}

void BatchEngine::drop_cancelled() {
  std::vector<uint64_t> gone;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence->group->cancelled) gone.push_back(id);
  }
  for (const uint64_t id : gone) {
    Group& group = *sequences_.at(id)->group;
    group.result.cancelled = true;
    group.events.delta(sequences_.at(id)->finish(sampling::FinishReason::kCancelled));
    end(id);
  }
}

// What one sequence throws ends that one only.
template <typename Action>
void BatchEngine::guarded(uint64_t id, const Action& action) {
  if (const auto failure = failure_of(action)) fail(id, *failure);
}

// The prompts of running sequences go on as far as they can; between two steps one batch of frames is
// encoded, sequences taking turns.
bool BatchEngine::prepare_prompts() {
  std::vector<uint64_t> ids = scheduler_.running_ids();
  std::sort(ids.begin(), ids.end());
  std::rotate(ids.begin(), std::upper_bound(ids.begin(), ids.end(), last_encoded_), ids.end());
  bool encoded = false;
  for (const uint64_t id : ids) {
    const auto it = sequences_.find(id);
    if (it == sequences_.end()) continue;  // ended together with another answer of its job
    Sequence& sequence = *it->second;
    guarded(id, [&] {
      if (!sequence.started()) {
        if (!may_start(id, sequence)) return;
        engine::VisionMemory memory;
        memory.find = [this](const std::string& key) { return features_.find(key); };
        memory.put = [this](const std::string& key, std::vector<engine::FrameFeatures> frames) {
          features_.put(key, std::move(frames));
        };
        sequence.start(
            std::move(memory),
            [this] {
              {
                const std::lock_guard lock(mutex_);
                poked_ = true;
              }
              changed_.notify_all();
            },
            options_.batch_patches);
      }
      const bool before = encoded;
      feed(id, sequence, encoded);
      if (encoded && !before) last_encoded_ = id;
    });
  }
  return encoded;
}

// A further answer of a job waits for the first one's prompt, and a medium that another sequence is just
// encoding is waited for: both are then found in the caches.
bool BatchEngine::may_start(uint64_t id, Sequence& sequence) const {
  if (sequence.choice > 0 && !sequence.group->prefilled) {
    const bool first_lives = std::any_of(sequences_.begin(), sequences_.end(), [&](const auto& item) {
      return item.second->group == sequence.group && item.second->choice == 0;
    });
    if (first_lives) return false;
  }
  if (sequence.request.media.empty()) return true;
  for (const auto& [other_id, other] : sequences_) {
    if (other_id == id || !other->started() || other->rows().whole()) continue;
    for (const preprocess::MediaEntry& theirs : other->request.media) {
      for (const preprocess::MediaEntry& ours : sequence.request.media) {
        if (!ours.key.empty() && ours.key == theirs.key) return false;
      }
    }
  }
  return true;
}

void BatchEngine::feed(uint64_t id, Sequence& sequence, bool& encoded) {
  engine::PromptRows& rows = sequence.rows();
  Slot& slot = scheduler_.slot(id);
  // What the cache holds is skipped at once, so that there is room for more of the prompt.
  for (int64_t before = -1; before < sequence.known();) {
    before = sequence.known();
    advance(sequence, encoded);
    match_prefix(slot, sequence);
    if (!sequence.matching) break;
  }
  // A computed row ends the matching: less than a page waits for the rest of its page.
  const bool may_match_more = sequence.matching && !rows.whole();
  slot.ready = may_match_more ? slot.computed : std::max(slot.computed, sequence.known());
}

void BatchEngine::advance(Sequence& sequence, bool& encoded) {
  engine::PromptRows& rows = sequence.rows();
  if (rows.whole() || rows.held() >= 2 * options_.step_rows) return;
  const auto start = Clock::now();
  const int64_t frames = rows.encoded_frames;
  // With its turn gone a sequence still takes what needs no encoding.
  using Wait = engine::PromptRows::Wait;
  if (rows.advance(2 * options_.step_rows, encoded ? Wait::kNoEncoding : Wait::kNever)) {
    encoded = true;
    counters_.encode_seconds += seconds_since(start);
  }
  counters_.frames_encoded += static_cast<uint64_t>(rows.encoded_frames - frames);
  if (rows.whole()) fill_receipt(sequence);
}

void BatchEngine::match_prefix(Slot& slot, Sequence& sequence) {
  // One row at least is computed: the last one's hidden state chooses the first token.
  while (sequence.matching && sequence.known() > slot.computed + options_.page_rows) {
    const int64_t end = slot.computed + options_.page_rows;
    const auto page = pool_.find(sequence.name_page(end, options_.page_rows));
    if (!page) {
      sequence.matching = false;
      break;
    }
    slot.pages.push_back(*page);
    const auto prompt = static_cast<int64_t>(sequence.rows().ids().size());
    sequence.rows().skip(std::clamp<int64_t>(prompt - slot.computed, 0, options_.page_rows));
    slot.computed = end;
    sequence.cached_rows += options_.page_rows;
    ++sequence.published;
    counters_.prefix_hits += static_cast<uint64_t>(options_.page_rows);
  }
}

void BatchEngine::compute(const std::vector<Scheduler::Work>& work) {
  const auto start = Clock::now();
  std::vector<at::Tensor> inputs;
  std::vector<lm::PagedSegment> segments;
  std::vector<std::pair<uint64_t, int64_t>> ends;  // sequences that get a token, and their row
  int64_t total = 0, prompt_rows = 0;
  std::vector<Scheduler::Work> taken;
  std::vector<std::pair<uint64_t, Error>>
      failed;  // ended when the step is over: other answers of their job are in it
  const int64_t width = runtime_->config.text.hidden_size;
  for (const Scheduler::Work& planned : work) {
    Slot& slot = scheduler_.slot(planned.id);
    Sequence& sequence = *sequences_.at(planned.id);
    const auto failure = failure_of([&] {
      const at::Tensor input = sequence.take(slot.computed, planned.rows);
      VL3_CHECK(input.size(0) == planned.rows && input.size(1) == width, kInternal,
                "{} x {} inputs for {} rows of {}", input.size(0), input.size(1), planned.rows, width);
      inputs.push_back(input);
    });
    if (failure) {
      failed.emplace_back(planned.id, *failure);
      continue;
    }
    taken.push_back(planned);
    segments.push_back({total, total + planned.rows, slot.computed, slot.pages});
    total += planned.rows;
    if (!slot.generating) prompt_rows += planned.rows;
    if (sequence.prompt_whole() && slot.computed + planned.rows == sequence.known())
      ends.emplace_back(planned.id, total - 1);
  }
  at::Tensor hidden;
  std::optional<Error> shared_failure;
  if (!taken.empty()) {
    shared_failure = failure_of(
        [&] { hidden = decoder_.forward(inputs.size() == 1 ? inputs.front() : at::cat(inputs), segments); });
  }
  if (shared_failure) {
    for (const auto& [id, rows] : taken) failed.emplace_back(id, *shared_failure);
    taken.clear();
    ends.clear();
  }
  if (!taken.empty()) finish_step(taken, hidden, ends, seconds_since(start), total, prompt_rows);
  for (const auto& [id, error] : failed) fail(id, error);
}

void BatchEngine::finish_step(const std::vector<Scheduler::Work>& taken, const at::Tensor& hidden,
                              const std::vector<std::pair<uint64_t, int64_t>>& ends, double seconds,
                              int64_t total, int64_t prompt_rows) {
  iteration_tokens_.observe(static_cast<double>(total));
  (prompt_rows > 0 ? counters_.prefill_seconds : counters_.decode_seconds) += seconds;
  ++counters_.steps;
  counters_.step_rows += static_cast<uint64_t>(total);
  for (const auto& [id, rows] : taken) {
    Slot& slot = scheduler_.slot(id);
    Sequence& sequence = *sequences_.at(id);
    if (!slot.generating) {
      sequence.prefill_seconds += seconds * static_cast<double>(rows) / static_cast<double>(total);
      sequence.matching = false;
    }
    slot.computed += rows;
    publish(id, sequence);
    if (!slot.generating && sequence.group->job->progress)
      sequence.group->events.progress("prefill", slot.computed, sequence.rows().most_rows(),
                                      sequence.cached_rows);
  }
  sample(hidden, ends);
}

void BatchEngine::publish(uint64_t id, Sequence& sequence) {
  const Slot& slot = scheduler_.slot(id);
  for (; (sequence.published + 1) * options_.page_rows <= slot.computed; ++sequence.published) {
    const int32_t page = slot.pages[static_cast<size_t>(sequence.published)];
    pool_.publish(page,
                  sequence.name_page((sequence.published + 1) * options_.page_rows, options_.page_rows));
  }
}

void BatchEngine::sample(const at::Tensor& hidden, const std::vector<std::pair<uint64_t, int64_t>>& rows) {
  if (rows.empty()) return;
  std::vector<int64_t> index;
  for (const auto& [id, row] : rows) index.push_back(row);
  at::Tensor logits = decoder_.logits(at::index_select(hidden, 0, at::tensor(index, at::kLong))).contiguous();
  const int64_t V = logits.size(1);
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint64_t id = rows[i].first;
    if (!sequences_.contains(id)) continue;  // ended together with another answer of its job
    guarded(id, [&] {
      Sequence& sequence = *sequences_.at(id);
      Group& group = *sequence.group;
      Slot& slot = scheduler_.slot(id);
      Delta delta =
          sequence.sample({logits.data_ptr<float>() + static_cast<int64_t>(i) * V, static_cast<size_t>(V)});
      if (!group.first_token_s) group.first_token_s = seconds_since(group.submitted);
      if (!std::exchange(group.prefilled, true))
        group.events.prefilled(static_cast<int64_t>(sequence.rows().ids().size()));
      slot.generating = true;
      slot.ready = sequence.known();
      const std::string reason = delta.finish_reason;
      group.events.delta(std::move(delta));
      if (!reason.empty()) end(id);
    });
  }
}

void BatchEngine::set_back(uint64_t id) {
  Sequence& sequence = *sequences_.at(id);
  if (auto rows = sequence.release_rows()) disposal_.add(std::move(rows));
  sequence.cached_rows = 0;
}

void BatchEngine::too_long(uint64_t id) {
  if (!sequences_.contains(id)) return;
  Sequence& sequence = *sequences_.at(id);
  if (sequence.generated() == 0) {
    fail(id, Error(ErrorCode::kResourceExhausted,
                   fmt::format("the prompt does not fit the KV cache of {} tokens; use fewer frames",
                               static_cast<int64_t>(pages_) * options_.page_rows)));
    return;
  }
  sequence.group->events.delta(sequence.finish(sampling::FinishReason::kLength));
  end(id);
}

void BatchEngine::fail(uint64_t id, const Error& error) {
  if (!sequences_.contains(id)) return;
  Group& group = *sequences_.at(id)->group;
  if (error.code() == ErrorCode::kCancelled) {
    group.cancelled = true;  // told as such by drop_cancelled(), in the next round
    const std::lock_guard lock(mutex_);
    poked_ = true;
    return;
  }
  if (!group.result.error) group.result.error = error;
  // The other answers of the job have no reader any more.
  std::vector<uint64_t> ids;
  for (const auto& [other, sequence] : sequences_) {
    if (sequence->group.get() == &group) ids.push_back(other);
  }
  for (const uint64_t other : ids) end(other);
}

void BatchEngine::fill_receipt(Sequence& sequence) {
  if (sequence.choice > 0) return;
  engine::PromptRows& rows = sequence.rows();
  JobResult& result = sequence.group->result;
  Receipt& receipt = result.receipt;
  receipt.media = engine::describe_media(sequence.request, rows.kept);
  const engine::VisualCount count = engine::count_visual(receipt.media);
  receipt.visual_tokens = count.tokens;
  receipt.visual_tokens_kept = count.kept;
  counters_.visual_tokens += static_cast<uint64_t>(receipt.visual_tokens);
  counters_.visual_tokens_kept += static_cast<uint64_t>(receipt.visual_tokens_kept);
  counters_.prefix_queries += rows.ids().size();
  receipt.prompt_tokens = static_cast<int64_t>(rows.ids().size());
  receipt.warnings = rows.warnings;
  const engine::VisualSeconds visual = rows.visual_seconds();
  receipt.seconds.decode = visual.decode;
  receipt.seconds.preprocess = visual.preprocess;
  receipt.seconds.encode = visual.encode;
  if (!sequence.group->job->masks) return;
  for (size_t m = 0; m < rows.masks.size(); ++m) {
    const preprocess::MediumPlan& plan = sequence.request.plan.media[m];
    result.masks.push_back({plan.grid.h / plan.merge, plan.grid.w / plan.merge, rows.masks[m]});
  }
}

void BatchEngine::end(uint64_t id) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  Sequence& sequence = *it->second;
  const std::shared_ptr<Group> group = sequence.group;
  Receipt& receipt = group->result.receipt;
  receipt.completion_tokens += sequence.generated();
  if (sequence.choice == 0) {
    receipt.cached_tokens = sequence.cached_rows;
    receipt.seconds.prefill = sequence.prefill_seconds;
  }
  scheduler_.remove(id);
  if (auto rows = sequence.release_rows()) disposal_.add(std::move(rows));
  sequences_.erase(it);
  if (--group->open > 0) return;
  const double total = seconds_since(group->submitted);
  receipt.seconds.first_token = group->first_token_s.value_or(0);
  receipt.seconds.generate = group->first_token_s ? total - *group->first_token_s : 0;
  receipt.seconds.total = total;
  receipt.peak_rss_bytes = peak_rss_bytes();
  {
    const std::lock_guard lock(mutex_);
    groups_.erase(group->job->id);
  }
  --jobs_;
  group->events.finished(std::move(group->result));
}

void BatchEngine::update_stats() {
  const FeatureStore::Stats features = features_.stats();
  counters_.running = scheduler_.running();
  counters_.waiting = scheduler_.waiting();
  counters_.pages_total = pool_.total();
  counters_.pages_used = pool_.held();
  counters_.page_rows = options_.page_rows;
  counters_.preemptions = scheduler_.preemptions();
  counters_.media_queries = features.queries;
  counters_.media_hits = features.hits;
  counters_.media_disk_hits = features.disk_hits;
  counters_.feature_bytes = features.memory_bytes;
  counters_.feature_disk_bytes = features.disk_bytes;
  counters_.iteration_tokens = &iteration_tokens_;
  const std::lock_guard lock(mutex_);
  stats_ = counters_;
}

}  // namespace vl3::serve
