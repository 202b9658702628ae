#include "train/trainer.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <torch/version.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "core/process.h"
#include "data/loader.h"
#include "data/mixture_stream.h"
#include "data/sample_builder.h"
#include "engine/device.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"
#include "train/event_file.h"
#include "train/recipe.h"
#include "train/stop_signal.h"
#include "train/tensor_files.h"
#include "train/train_step.h"
#include "vl3/version.h"

namespace vl3::train {
namespace fs = std::filesystem;
namespace {

constexpr const char* kAdapterFolder = "adapter";

using Clock = std::chrono::steady_clock;
double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

/// Rank 0's text, in every process.
std::string broadcast_text(Collective& collective, std::string text, at::Device device) {
  if (collective.world_size() == 1) return text;
  at::Tensor size =
      at::full({1}, static_cast<int64_t>(text.size()), at::TensorOptions(at::kLong).device(device));
  collective.broadcast(size, 0);
  text.resize(static_cast<size_t>(size.item<int64_t>()));
  if (text.empty()) return text;
  at::Tensor bytes = at::from_blob(text.data(), {static_cast<int64_t>(text.size())}, at::kByte).to(device);
  collective.broadcast(bytes, 0);
  bytes = bytes.cpu();
  return {static_cast<const char*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.numel())};
}

/// A run's records: passes over the lists, or no end where max_steps says when it is over.
std::unique_ptr<data::MixtureStream> open_records(const TrainConfig& config) {
  return data::open_mixture(config.data, config.seed, config.max_steps ? 0 : config.num_train_epochs);
}

int64_t count_steps(const TrainConfig& config, const data::MixtureStream& records) {
  if (config.max_steps) return *config.max_steps;
  VL3_CHECK(!config.global_batch_tokens, kInvalidArgument,
            "global_batch_tokens is set, so the number of steps is not known beforehand: set max_steps, too");
  VL3_CHECK(records.total_records() > 0, kInvalidArgument, "the data has no record: look at data.sources");
  return (records.total_records() + config.global_batch_size - 1) / config.global_batch_size;
}

std::unique_ptr<data::Loader> make_loader(std::unique_ptr<data::MixtureStream> records,
                                          const TrainConfig& config, const weights::ModelConfig& model,
                                          const Collective& collective) {
  auto tokenizer = std::make_shared<const text::Tokenizer>(text::Tokenizer::load(model.dir));
  media::MediaLimits limits;
  limits.timeout_s = config.data.sample_timeout_s;
  auto builder = std::make_shared<const data::SampleBuilder>(model, tokenizer, config.data, limits);
  const int64_t rank = collective.rank();
  data::LoaderOptions options{
      .rank = rank,
      .world_size = collective.world_size(),
      .global_batch_size = config.global_batch_size,
      .global_batch_tokens = config.global_batch_tokens,
      .bad_samples = fs::path(config.output) /
                     (rank == 0 ? "bad_samples.jsonl" : fmt::format("bad_samples.{}.jsonl", rank)),
  };
  return std::make_unique<data::Loader>(std::move(records), data::sample_functions(builder), config.data,
                                        options);
}

/// What only rank 0 has: the run's folder, its checkpoints and its logs.
class Writer {
 public:
  explicit Writer(const TrainConfig& config) : config_(config), folder_(config.output) {}

  const RunFolder& folder() const { return folder_; }

  void begin(const weights::ModelConfig& model, const std::string& base_model, int64_t resumed_step) {
    base_model_ = base_model;
    layout_ = model.layout;
    const weights::DType dtype = config_.dtype == "float32" ? weights::DType::kF32 : weights::DType::kBF16;
    store_.emplace(folder_, ModelFiles(model, dtype, config_.data.use_token_compression),
                   config_.save_total_limit);
    log_.emplace(folder_.path() / "train_log.jsonl", resumed_step);
    if (config_.tensorboard) events_.emplace(folder_.path() / "tensorboard", resumed_step);
    write_file_atomically(folder_.path() / "recipe.toml", recipe_toml(config_));
  }

  void log(const StepMetrics& metrics) {
    log_->write(metrics);
    if (events_) events_->write(metrics);
  }

  fs::path save(TrainStep& step, const std::map<std::string, at::Tensor>& optimizer, TrainerState state) {
    log_->sync();
    CheckpointContents contents;
    contents.weights = out_tensors(config_.lora ? step.merged_weights() : step.weights());
    contents.optimizer = out_tensors(optimizer);
    contents.state = std::move(state);
    contents.recipe = recipe_toml(config_);
    if (config_.lora) {
      contents.write_more = [&](const fs::path& into) {
        fs::create_directory(into / kAdapterFolder);
        write_adapter(step.adapter(), into / kAdapterFolder, layout_, base_model_);
      };
    }
    return store_->save(contents);
  }

  void publish(const fs::path& checkpoint) { store_->publish(checkpoint); }

 private:
  const TrainConfig& config_;
  RunFolder folder_;
  std::string base_model_;
  Flow layout_ = Flow::kNative;
  std::optional<CheckpointStore> store_;
  std::optional<MetricsLog> log_;
  std::optional<EventFile> events_;
};

class Run {
 public:
  Run(const TrainConfig& config, const TrainHooks& hooks)
      : config_(config),
        hooks_(hooks),
        device_(engine::parse_device(config.device, /*may_be_auto=*/true)),
        collective_(join_processes(device_)) {
    if (collective_->rank() == 0) writer_ = std::make_unique<Writer>(config_);
  }

  TrainReport train(const std::string& resume) {
    prepare(resume);
    const StopSignal signal;
    TrainReport report{.output = config_.output,
                       .steps = first_step_,
                       .total_steps = total_steps_,
                       .writes = writer_ != nullptr};
    bool stopped = false;
    auto asked = Clock::now();
    while (state_.step < total_steps_ && !stopped) {
      const std::optional<data::StepBatch> batch = loader_->next();
      const auto started = Clock::now();
      if (!batch) break;
      if (across(batch->samples) == 0) continue;  // all of them were bad: the step has nothing to learn from
      const StepMetrics metrics = one_step(*batch, asked, started);
      asked = Clock::now();
      report.last_loss = metrics.loss;
      stopped = across(StopSignal::requested() != 0 ? 1 : 0) > 0;
      if (!stopped && state_.step < total_steps_ && state_.step % config_.save_steps == 0) save();
    }
    const fs::path last = save();
    report.steps = state_.step;
    report.bad_samples = loader_->bad_samples().total().bad;
    report.finished = !stopped;
    if (report.finished && writer_) writer_->publish(last);
    collective_->barrier();
    return report;
  }

 private:
  int64_t across(int64_t value) {  // summed over processes
    if (collective_->world_size() == 1) return value;
    at::Tensor sum = at::full({1}, value, at::TensorOptions(at::kLong).device(device_));
    collective_->all_reduce_sum(sum);
    return sum.item<int64_t>();
  }

  void note(const std::string& line) const {
    if (writer_ && hooks_.on_note) hooks_.on_note(line);
  }

  void prepare(const std::string& resume) {
    std::string from;
    if (writer_) {
      if (const auto point = find_resume_point(writer_->folder(), resume)) from = point->folder.string();
    }
    from = broadcast_text(*collective_, from, device_);
    const fs::path base = from.empty() || config_.lora ? resolve_model(config_) : fs::path(from);
    const weights::ModelConfig model = weights::load_model_config(base);
    auto checkpoint = std::make_shared<const weights::Checkpoint>(weights::Checkpoint::open(base, model));
    auto records = open_records(config_);
    total_steps_ = count_steps(config_, *records);
    step_ = std::make_unique<TrainStep>(std::move(checkpoint), config_, total_steps_, device_, *collective_);
    loader_ = make_loader(std::move(records), config_, model, *collective_);
    if (!from.empty()) {
      state_ = read_trainer_state(from);
      if (config_.lora) step_->load_adapter(read_adapter(fs::path(from) / kAdapterFolder));
      step_->load_state(read_tensors(fs::path(from) / kOptimizerFile));
      loader_->restore(state_.data);
      note(fmt::format("goes on from {} (step {} of {})", from, state_.step, total_steps_));
    }
    first_step_ = state_.step;
    state_.versions = {{"vl3", kVersion}, {"torch", TORCH_VERSION}};
    if (writer_) writer_->begin(model, config_.model, first_step_);
  }

  StepMetrics one_step(const data::StepBatch& batch, Clock::time_point asked, Clock::time_point started) {
    const StepLog log = step_->step(batch.rows);
    const auto ended = Clock::now();
    state_.step = log.step;
    state_.data = loader_->state();
    state_.samples_seen += across(batch.samples);
    state_.tokens_seen += log.tokens;
    state_.epoch =
        config_.num_train_epochs * static_cast<double>(log.step) / static_cast<double>(total_steps_);
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
    metrics.samples = batch.samples;
    metrics.tokens = log.tokens;
    metrics.labelled_tokens = log.labelled_tokens;
    metrics.total_tokens = state_.tokens_seen;
    metrics.step_s = seconds_between(asked, ended);
    metrics.data_wait_s = seconds_between(asked, started);
    metrics.bad_samples = loader_->bad_samples().total().bad;
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

  fs::path save() {
    const auto optimizer = step_->state();  // gathered: every process takes part
    if (!writer_) return {};
    const fs::path folder = writer_->save(*step_, optimizer, state_);
    note(fmt::format("checkpoint {}", folder.string()));
    return folder;
  }

  const TrainConfig& config_;
  const TrainHooks& hooks_;
  at::Device device_;
  std::unique_ptr<Collective> collective_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<TrainStep> step_;
  std::unique_ptr<data::Loader> loader_;
  TrainerState state_;
  AnswerScores answers_;  // since the last logged step
  int64_t total_steps_ = 0, first_step_ = 0;
};

}  // namespace

TrainReport train(const TrainConfig& config, const std::string& resume, const TrainHooks& hooks) {
  return Run(config, hooks).train(resume);
}

}  // namespace vl3::train
