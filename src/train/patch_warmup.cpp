#include "train/patch_warmup.h"

#include <ATen/Context.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "core/process.h"
#include "data/loader.h"
#include "data/mixture_stream.h"
#include "data/patch_labels.h"
#include "data/random.h"
#include "engine/device.h"
#include "engine/model.h"
#include "preprocess/normalise.h"
#include "preprocess/patchify.h"
#include "preprocess/target_size.h"
#include "synth/generator.h"
#include "train/checkpoint.h"
#include "train/gradient_sync.h"
#include "train/learning_rate.h"
#include "train/optimizer.h"
#include "train/recipe.h"
#include "train/resume.h"
#include "train/step_lines.h"
#include "train/stop_signal.h"
#include "train/tensor_files.h"

// Letters: F pictures of one size, N patches each, C values a patch, D hidden size, K classes of all tasks.

namespace vl3::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kHead = "model.vision_model.patch_head.weight";
constexpr int64_t kClasses =
    std::accumulate(data::kPatchClasses.begin(), data::kPatchClasses.end(), int64_t{0});
/// Of the patches that show nothing, one in so many is asked: they are most of every picture.
constexpr uint64_t kEmptyEvery = 6;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A picture and its targets in the form of a training sample: `labels` holds kPatchTasks a patch.
data::Sample picture_sample(const synth::Sample& drawn, const weights::PreprocessConfig& config,
                            uint64_t seed) {
  VL3_CHECK(drawn.type == synth::MediaType::kImage, kInvalidArgument,
            "{}: the encoder's warm-up takes samples of one image each; choose scene, ocr, document or chart",
            drawn.id);
  const media::Frame& frame = drawn.frames.front();
  const preprocess::Size from{frame.height, frame.width};
  const preprocess::MediaShape shape{preprocess::MediaKind::kImage, from, 1};
  const preprocess::Size size = preprocess::target_sizes({&shape, 1}, config).front();
  preprocess::PatchBatch batch = preprocess::make_patch_batch(size, config.patch_size, /*merge=*/1);
  preprocess::append_frame(batch, frame.rgb, from);

  data::Sample sample;
  sample.id = drawn.id;
  sample.labels = data::patch_labels(drawn.facts.images.front(), batch.grid);
  for (size_t i = 0; i < sample.labels.size(); i += data::kPatchTasks) {
    const bool empty = sample.labels[i] == 0;
    if (empty && data::mix({seed, i}) % kEmptyEvery != 0) sample.labels[i] = data::kIgnoreIndex;
  }
  sample.labelled_tokens =
      static_cast<int64_t>(sample.labels.size()) - std::ranges::count(sample.labels, data::kIgnoreIndex);
  sample.input_ids.assign(sample.labels.size(), 0);
  sample.tokens_before_cut = static_cast<int64_t>(sample.input_ids.size());
  data::VisualMedium& medium = sample.media.emplace_back();
  medium.grid = batch.grid;
  medium.merge = 1;
  medium.keep.assign(static_cast<size_t>(batch.grid.h * batch.grid.w), 0);
  medium.patches_u8 = std::move(batch.patches_u8);
  return sample;
}

std::unique_ptr<data::Loader> open_pictures(const TrainConfig& config,
                                            const weights::PreprocessConfig& preprocess) {
  auto generators = std::make_shared<std::vector<synth::Generator>>();
  for (const DataSource& source : config.data.sources) {
    VL3_CHECK(!source.synth.empty(), kInvalidArgument,
              "objective \"patch_labels\" knows what is in generated pictures only: give data.sources a "
              "synth file");
    generators->emplace_back(synth::options_from_json(read_json_file(source.synth), source.synth));
  }
  data::SampleFunctions functions;
  functions.build = [generators, preprocess](const data::Record& record, const std::atomic<bool>&) {
    const synth::Generator& generator = (*generators)[static_cast<size_t>(record.origin.list)];
    return picture_sample(generator.sample(static_cast<uint64_t>(record.origin.line - 1)), preprocess,
                          record.seed);
  };
  const data::LoaderOptions options{.global_batch_size = config.global_batch_size};
  return std::make_unique<data::Loader>(data::open_mixture(config.data, config.seed, /*epochs=*/0), functions,
                                        config.data, options);
}

/// Encoder, head and optimizer.
class PatchStep {
 public:
  PatchStep(const std::shared_ptr<const weights::Checkpoint>& checkpoint, const TrainConfig& config)
      : config_(config),
        model_config_(checkpoint->config()),
        table_(preprocess::make_normalise_table(model_config_.preprocess)),
        collective_(single_process()),
        store_(checkpoint, trainables(*checkpoint),
               {.dtype = config.dtype == "float32" ? at::kFloat : at::kBFloat16,
                .device = engine::parse_device(config.device, /*may_be_auto=*/true),
                .muon = config.optim.optimizer == "muon"}),
        model_(store_, model_config_),
        schedule_(config.optim, *config.max_steps) {
    model_->vision_model->set_recompute(config.gradient_checkpointing);
    head_ = store_.find(kHead)->weight;
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU).clone();
    generator.set_current_seed(config.seed);
    const c10::AutoGradMode off(false);
    head_.copy_(at::empty(head_.sizes(), at::kFloat).normal_(0, 0.02, generator));
    optimizer_ = std::make_unique<Optimizer>(store_, *collective_, config.optim);
    sync_ = std::make_unique<GradientSync>(store_, *collective_);
  }

  /// What one step saw: losses and hits a task, over the patches that were asked.
  struct Result {
    double loss = 0, grad_norm = 0;
    int64_t pictures = 0, patches = 0;
    std::array<int64_t, data::kPatchTasks> asked{}, right{};
  };

  Result step(const std::vector<data::PackedRow>& rows) {
    Result result;
    sync_->begin_window();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i + 1 == rows.size()) sync_->begin_last_row();
      const c10::AutoGradMode recording(true);
      at::Tensor loss = forward(rows[i], result);
      result.loss += loss.item<double>();
      loss.backward();
    }
    sync_->finish_window();
    const double asked = std::max<double>(1, static_cast<double>(result.asked[0]));
    result.loss /= asked;
    double squares = 0;
    for (const auto& [part, sum] : optimizer_->squared_norms(*sync_)) squares += sum;
    result.grad_norm = std::sqrt(squares) / asked;
    VL3_CHECK(std::isfinite(result.loss) && std::isfinite(result.grad_norm), kCorrupt,
              "step {}: loss or gradient is not finite; lower lr.vision_encoder_lr", steps_ + 1);
    double scale = 1 / asked;
    if (config_.optim.max_grad_norm)
      scale *= std::min(1.0, *config_.optim.max_grad_norm / (result.grad_norm + 1e-6));
    LearningRates rates;
    rates.vision_encoder_lr = *config_.lr.vision_encoder_lr * schedule_.multiplier(steps_);
    optimizer_->step(*sync_, rates, scale, ++steps_);
    return result;
  }

  std::vector<LazyTensor> weights() const {
    std::vector<LazyTensor> weights;
    for (const auto& item : model_->named_parameters()) {
      const at::Tensor weight = item.value().detach();
      weights.push_back(
          {item.key(), weight.scalar_type(), weight.sizes().vec(), [weight] { return weight; }});
    }
    return weights;
  }

 private:
  static std::vector<Trainable> trainables(const weights::Checkpoint& checkpoint) {
    std::vector<Trainable> found;
    for (const auto& tensor : checkpoint.tensors()) {
      if (part_of(tensor.name) == Part::kVisionEncoder) found.push_back({tensor.name, tensor.shape});
    }
    found.push_back({kHead, {kClasses, checkpoint.config().vision.hidden_size}});
    return found;
  }

  // Sum of the losses of a row's patches; pictures of one size go through the encoder together.
  at::Tensor forward(const data::PackedRow& row, Result& result) const {
    std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> sizes;
    for (size_t m = 0; m < row.media.size(); ++m)
      sizes[{row.media[m].grid.h, row.media[m].grid.w}].push_back(m);
    at::Tensor total;
    for (const auto& [size, pictures] : sizes) {
      const auto F = static_cast<int64_t>(pictures.size()), N = size.first * size.second;
      const int64_t C = 3 * model_config_.vision.patch_size * model_config_.vision.patch_size;
      at::Tensor pixels_FNC = at::empty({F, N, C}, at::kFloat);
      std::vector<int64_t> targets;
      for (int64_t f = 0; f < F; ++f) {
        const size_t m = pictures[static_cast<size_t>(f)];
        preprocess::normalise(row.media[m].patches_u8,
                              {pixels_FNC.data_ptr<float>() + f * N * C, static_cast<size_t>(N * C)}, table_,
                              model_config_.vision.patch_size);
        const auto begin = row.labels.begin() + row.cu_seqlens[m];
        targets.insert(targets.end(), begin, begin + N * data::kPatchTasks);
      }
      const StoreOptions& store = store_.options();
      const at::Tensor features_FND = model_->vision_model->forward(pixels_FNC.to(store.device, store.dtype),
                                                                    size.first, size.second, /*merge=*/1);
      const at::Tensor logits_PK =
          at::linear(features_FND.reshape({F * N, features_FND.size(2)}), head_).to(at::kFloat);
      const at::Tensor labels_PT =
          at::tensor(targets, at::kLong).view({F * N, data::kPatchTasks}).to(store.device);
      const at::Tensor loss = score(logits_PK, labels_PT, result);
      total = total.defined() ? total + loss : loss;
      result.pictures += F;
      result.patches += F * N;
    }
    return total;
  }

  static at::Tensor score(const at::Tensor& logits_PK, const at::Tensor& labels_PT, Result& result) {
    at::Tensor total;
    int64_t begin = 0;
    for (int64_t task = 0; task < data::kPatchTasks; ++task) {
      const int64_t classes = data::kPatchClasses[static_cast<size_t>(task)];
      const at::Tensor logits = logits_PK.narrow(1, begin, classes), labels = labels_PT.select(1, task);
      begin += classes;
      const at::Tensor loss =
          at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, data::kIgnoreIndex);
      total = total.defined() ? total + loss : loss;
      const c10::AutoGradMode off(false);
      result.asked[static_cast<size_t>(task)] += labels.ne(data::kIgnoreIndex).sum().item<int64_t>();
      result.right[static_cast<size_t>(task)] += logits.argmax(1).eq(labels).sum().item<int64_t>();
    }
    return total;
  }

  TrainConfig config_;
  weights::ModelConfig model_config_;
  preprocess::NormaliseTable table_;
  std::unique_ptr<Collective> collective_;
  ParameterStore store_;
  engine::VideoLlama3 model_;
  LrSchedule schedule_;
  at::Tensor head_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<GradientSync> sync_;
  int64_t steps_ = 0;
};

void check(const TrainConfig& config) {
  VL3_CHECK(config.lr.vision_encoder_lr && !config.lr.llm_lr && !config.lr.mm_projector_lr && !config.lora,
            kInvalidArgument,
            "objective \"patch_labels\" trains the encoder: set lr.vision_encoder_lr alone");
  VL3_CHECK(config.max_steps.has_value(), kInvalidArgument, "objective \"patch_labels\" needs max_steps");
}

std::string accuracy_text(const PatchStep::Result& sum) {
  constexpr std::array<const char*, data::kPatchTasks> kNames = {"content", "colour", "row", "column"};
  std::string text;
  for (size_t task = 0; task < kNames.size(); ++task) {
    const double share =
        static_cast<double>(sum.right[task]) / std::max<double>(1, static_cast<double>(sum.asked[task]));
    text += fmt::format("{}{} {:.1f} %", task == 0 ? "" : ", ", kNames[task], 100 * share);
  }
  return text;
}

}  // namespace

TrainReport warm_up_encoder(const TrainConfig& config, const TrainHooks& hooks) {
  check(config);
  const RunFolder folder(config.output);
  TrainReport report{.output = config.output, .total_steps = *config.max_steps, .writes = true};
  if (const auto steps = finished_steps(folder, config, "auto")) {
    report.end = RunEnd::kNothingToDo;
    report.steps = *steps;
    return report;
  }
  const fs::path base = resolve_model(config);
  const weights::ModelConfig model = weights::load_model_config(base);
  PatchStep step(std::make_shared<const weights::Checkpoint>(weights::Checkpoint::open(base, model)), config);
  const auto loader = open_pictures(config, model.preprocess);
  CheckpointStore store(
      folder,
      ModelFiles(model, config.dtype == "float32" ? weights::DType::kF32 : weights::DType::kBF16,
                 config.data.use_token_compression),
      config.save_total_limit);
  StepLines log(folder.path() / "train_log.jsonl", 0);
  write_file_atomically(folder.path() / "recipe.toml", recipe_toml(config));
  const StopSignal signal;
  PatchStep::Result sum;
  TrainerState state;
  while (report.steps < report.total_steps && StopSignal::requested() == 0) {
    const auto start = Clock::now();
    const std::optional<data::StepBatch> batch = loader->next();
    if (!batch) break;
    VL3_CHECK(batch->bad.empty(), kCorrupt, "step {}: a picture could not be drawn: {}", report.steps + 1,
              batch->bad.front().reason);
    const double waited = seconds_since(start);
    const PatchStep::Result result = step.step(batch->rows);
    report.steps += 1;
    report.last_loss = result.loss;
    for (size_t task = 0; task < sum.asked.size(); ++task) {
      sum.asked[task] += result.asked[task];
      sum.right[task] += result.right[task];
    }
    state.samples_seen += result.pictures;
    state.tokens_seen += result.patches;
    StepMetrics metrics;
    metrics.step = report.steps;
    metrics.loss = result.loss;
    metrics.grad_norm = result.grad_norm;
    metrics.samples = result.pictures;
    metrics.tokens = result.patches;
    metrics.labelled_tokens = result.asked[0];
    metrics.total_tokens = state.tokens_seen;
    metrics.step_s = seconds_since(start);
    metrics.data_wait_s = waited;
    metrics.peak_bytes = peak_rss_bytes();
    log.write(to_json(metrics));
    if (hooks.on_step) hooks.on_step(metrics, report.total_steps, 0);
    if (hooks.on_note && report.steps % config.save_steps == 0) {
      hooks.on_note(
          fmt::format("step {}: right since the last such line: {}", report.steps, accuracy_text(sum)));
      sum = {};
    }
  }
  if (report.steps < report.total_steps) {
    report.end = RunEnd::kStopped;
    return report;
  }
  state.step = report.steps;
  CheckpointContents contents;
  contents.weights = out_tensors(step.weights());
  contents.state = state;
  contents.recipe = recipe_toml(config);
  store.publish(store.save(contents));
  mark_finished(folder, state);
  return report;
}

}  // namespace vl3::train
