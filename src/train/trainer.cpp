#include "train/trainer.h"

#include <c10/core/DeviceGuard.h>
#include <torch/version.h>

#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <sstream>
#include <utility>

#include "core/check.h"
#include "core/process.h"
#include "engine/device.h"
#include "train/dist/exchange.h"
#include "train/learning_rate.h"
#include "train/lora.h"
#include "train/recipe.h"
#include "train/run_data.h"
#include "train/run_writer.h"
#include "train/stop_signal.h"
#include "vl3/version.h"
#include "weights/weight_files.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

class Run {
 public:
  Run(const TrainConfig& config, const TrainHooks& hooks, at::Device device, Collective& collective)
      : config_(config),
        hooks_(hooks),
        device_(device),
        collective_(collective),
        exchange_(collective, device) {
    if (collective.rank() != 0) return;
    check_output(config_);
    writer_ = std::make_unique<RunWriter>(config_);
  }

  TrainReport train(const std::string& resume) {
    TrainReport report{.output = config_.output, .writes = writer_ != nullptr};
    exchange_.agree("keys of the recipe", numbers_toml(config_));
    if (const auto steps = finished_before(resume)) {
      report.end = RunEnd::kNothingToDo;
      report.steps = report.total_steps = *steps;
      return report;
    }
    prepare(resume);
    const StopSignal signal;
    bool stopped = false;
    auto asked = Clock::now();
    while (state_.step < total_steps_) {
      const std::optional<data::StepBatch> batch = loader_->next();
      const auto started = Clock::now();
      const StepCounts counts = count(batch);
      stopped = counts.stop;
      if (stopped || counts.ended) break;
      if (counts.samples == 0) continue;  // all of them were bad: the step has nothing to learn from
      const StepMetrics metrics = one_step(*batch, counts.samples, asked, started);
      asked = Clock::now();
      report.last_loss = metrics.loss;
      if (state_.step % config_.save_steps == 0) save();
    }
    if (!stopped) finish();
    if (stopped && state_.step > 0) save();
    collective_.barrier();
    report.end = stopped ? RunEnd::kStopped : RunEnd::kFinished;
    report.steps = state_.step;
    report.total_steps = total_steps_;
    report.bad_samples = bad_samples_;
    return report;
  }

 private:
  void note(const std::string& line) const {
    if (writer_ && hooks_.on_note) hooks_.on_note(line);
  }

  std::optional<int64_t> finished_before(const std::string& resume) {
    std::optional<int64_t> steps;
    if (writer_) steps = finished_steps(writer_->folder(), config_, resume);
    const int64_t told = exchange_.sum(steps ? *steps + 1 : 0);
    return told > 0 ? std::optional(told - 1) : std::nullopt;
  }

  void prepare(const std::string& resume) {
    fs::path from;
    if (writer_) {
      if (const auto point = find_resume_point(writer_->folder(), config_, resume)) {
        from = point->folder;
        for (const std::string& key : point->changed)
          note(fmt::format("changed since {}: {}", from.string(), key));
      }
    }
    from = exchange_.from_first(from.string());
    const fs::path base = from.empty() || config_.lora ? resolve_model(config_) : from;
    const weights::ModelConfig model = weights::load_model_config(base);
    auto checkpoint = std::make_shared<const weights::Checkpoint>(weights::Checkpoint::open(base, model));
    auto records = open_records(config_);
    exchange_.agree("data", records->state().at("lists").dump(1));
    total_steps_ = count_steps(config_, *records);
    LrSchedule(config_.optim, total_steps_).check_trains();
    records_per_epoch_ = records->records_per_epoch();
    step_ = std::make_unique<TrainStep>(std::move(checkpoint), config_, total_steps_, device_, collective_);
    loader_ = make_loader(std::move(records), config_, model, collective_.rank(), collective_.world_size());
    if (!from.empty()) go_on_from(from);
    if (config_.lora) check_base(base, from, resume == "auto");
    first_step_ = state_.step;
    collective_.barrier();  // from here on the folder changes: an error of any process ended all before
    state_.versions = {{"vl3", kVersion}, {"torch", TORCH_VERSION}};
    if (writer_) writer_->begin(model, first_step_);
  }

  // Adapters belong to the weights they were trained on; checkpoints of LoRA do not hold those apart.
  void check_base(const fs::path& base, const fs::path& from, bool refuse) {
    const std::string before = std::exchange(state_.base_model, weights::weights_fingerprint(base));
    if (before.empty() || before == state_.base_model) return;
    const std::string what =
        fmt::format("the weights of model {} have changed since {}", base.string(), from.string());
    VL3_CHECK(!refuse, kInvalidArgument,
              "{}; put the earlier ones back, give another output, or go on regardless with --resume {}",
              what, from.string());
    note(what);
  }

  void go_on_from(const fs::path& from) {
    state_ = read_trainer_state(from);
    VL3_CHECK(
        state_.step <= total_steps_, kInvalidArgument,
        "{} is of step {}, but the run has {} steps: raise max_steps or num_train_epochs, or go on from an "
        "earlier one",
        from.string(), state_.step, total_steps_);
    samples_seen_ = state_.samples_seen;
    bad_samples_ = state_.bad_samples;
    if (config_.lora) {
      step_->load_trained(std::make_shared<const weights::Checkpoint>(
          weights::Checkpoint::open(from, weights::load_model_config(from))));
      step_->load_adapter(read_adapter(from / kAdapterFolder));
    }
    step_->load_state(read_tensors(from / kOptimizerFile));
    loader_->restore(state_.data);
    if (from == fs::path(config_.output) / from.filename()) saved_ = from;
    note(fmt::format("goes on from {} (step {} of {})", from.string(), state_.step, total_steps_));
  }

  /// What all processes have of a step, and whether all of them leave the loop before it.
  struct StepCounts {
    int64_t samples = 0;
    bool stop = false, ended = false;
  };

  /// Counts over all processes and writes down the bad ones.
  StepCounts count(const std::optional<data::StepBatch>& batch) {
    const bool whole = batch && !batch->interrupted;
    const auto sums =
        exchange_.sums({whole ? batch->samples : 0, whole ? static_cast<int64_t>(batch->bad.size()) : 0,
                        StopSignal::requested() != 0 ? 1 : 0, batch ? 0 : 1});
    if (sums[2] > 0 || sums[3] > 0) return {.stop = sums[2] > 0, .ended = true};
    samples_seen_ += sums[0];
    bad_samples_ += sums[1];
    if (sums[1] > 0) write_down(batch->bad);
    data::check_bad_share(samples_seen_ + bad_samples_, bad_samples_, config_.data.max_bad_share,
                          last_reason_, bad_samples_file());
    records_in_vain_ = sums[0] > 0 ? 0 : records_in_vain_ + batch->records;
    VL3_CHECK(
        static_cast<double>(records_in_vain_) < records_per_epoch_, kCorrupt,
        "none of the last {} records, a whole pass over the data, can be trained on; the last one: {}. Look "
        "into {}",
        records_in_vain_, last_reason_, bad_samples_file());
    return {.samples = sums[0]};
  }

  std::string bad_samples_file() const { return (fs::path(config_.output) / kBadSamplesFile).string(); }

  void write_down(const std::vector<data::BadSampleEntry>& own) {
    std::string text;
    for (const data::BadSampleEntry& entry : own) {
      OrderedJson line = {{"step", state_.step + 1}};
      line.update(data::to_json(entry));
      text += line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    }
    for (const std::string& lines : exchange_.from_all(text)) {
      std::istringstream in(lines);
      for (std::string line; std::getline(in, line);) {
        const OrderedJson entry = OrderedJson::parse(line);
        last_reason_ = entry.at("reason");
        if (writer_) writer_->bad_sample(entry);
      }
    }
  }

  StepMetrics one_step(const data::StepBatch& batch, int64_t samples, Clock::time_point asked,
                       Clock::time_point started) {
    const StepLog log = step_->step(batch.rows);
    const auto ended = Clock::now();
    state_.step = log.step;
    state_.data = loader_->state();
    state_.samples_seen = samples_seen_;
    state_.bad_samples = bad_samples_;
    state_.tokens_seen += log.tokens;
    state_.epoch = static_cast<double>(batch.records_seen) / records_per_epoch_;
    StepMetrics metrics;
    metrics.step = log.step;
    metrics.epoch = state_.epoch;
    metrics.loss = log.loss;
    metrics.grad_norm = log.grad_norm;
    const auto rate = [&](const char* part) {
      const auto found = log.lr.find(part);
      return found == log.lr.end() ? std::nullopt : std::optional(found->second);
    };
    metrics.llm_lr = rate("llm");
    metrics.mm_projector_lr = rate("mm_projector");
    metrics.vision_encoder_lr = rate("vision_encoder");
    metrics.samples = samples;
    metrics.tokens = log.tokens;
    metrics.labelled_tokens = log.labelled_tokens;
    metrics.total_tokens = state_.tokens_seen;
    metrics.step_s = seconds_between(asked, ended);
    metrics.data_wait_s = seconds_between(asked, started);
    metrics.bad_samples = state_.bad_samples;
    metrics.peak_bytes = peak_rss_bytes();
    add_scores(&answers_, log.answers);
    if (writer_) {
      if (log.step % config_.logging_steps == 0 || log.step == total_steps_) {
        metrics.answers = std::exchange(answers_, {});
        writer_->log(metrics);
      }
      if (hooks_.on_step) hooks_.on_step(metrics, total_steps_, first_step_);
    }
    return metrics;
  }

  /// Every process takes part: each holds a share of the optimizer's state.
  void save() {
    const fs::path folder = fs::path(config_.output) / fmt::format("checkpoint-{}", state_.step);
    if (saved_ == folder) return;
    if (writer_) {
      writer_->save(*step_, state_);
      note(fmt::format("checkpoint {}", folder.string()));
    } else {
      for (const LazyTensor& tensor : step_->state()) tensor.get();
    }
    saved_ = folder;
  }

  void finish() {
    VL3_CHECK(state_.step > 0, kCorrupt,
              "no sample can be trained on: {} are bad; the last one: {}. Look into {}", bad_samples_,
              last_reason_, bad_samples_file());
    save();
    state_.bad_samples = bad_samples_;  // those of a last step of nothing else, too
    if (writer_) writer_->finish(saved_, state_);
  }

  const TrainConfig& config_;
  const TrainHooks& hooks_;
  at::Device device_;
  Collective& collective_;
  Exchange exchange_;
  std::unique_ptr<RunWriter> writer_;
  std::unique_ptr<TrainStep> step_;
  std::unique_ptr<data::Loader> loader_;
  TrainerState state_;
  std::string last_reason_;  // of a bad sample
  fs::path saved_;           // the newest checkpoint
  AnswerScores answers_;     // since the last logged step
  int64_t total_steps_ = 0, first_step_ = 0;
  int64_t samples_seen_ = 0, bad_samples_ = 0;  // as state_ has them after the step that is being counted
  int64_t records_in_vain_ = 0;                 // since the last good sample
  double records_per_epoch_ = 0;
};

/// Of whatever a process may end with.
Error as_error(const std::exception& error) {
  if (const auto* own = dynamic_cast<const Error*>(&error)) return *own;
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  const std::string text = error.what();
  return {memory ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
          memory ? "out of memory; see what --plan says" : text.substr(0, text.find('\n'))};
}

}  // namespace

TrainReport train(const TrainConfig& config, const std::string& resume, const TrainHooks& hooks) {
  const at::Device device = device_of_process(engine::parse_device(config.device, /*may_be_auto=*/true));
  const c10::DeviceGuard guard(device);
  const std::unique_ptr<Collective> collective = join_processes(device);
  std::optional<Run> run;  // outlives the catch: the others are told before threads are waited for
  try {
    return run.emplace(config, hooks, device, *collective).train(resume);
  } catch (const std::exception& error) {
    throw collective->fail(as_error(error));
  }
}

}  // namespace vl3::train
