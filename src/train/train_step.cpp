#include "train/train_step.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/check.h"
#include "engine/model.h"
#include "train/dist/exchange.h"
#include "train/gradient_sync.h"
#include "train/learning_rate.h"
#include "train/optimizer.h"
#include "train/parameter_store.h"
#include "train/parts.h"
#include "train/patch_loss.h"
#include "train/row_loss.h"

namespace vl3::train {
namespace {

at::ScalarType compute_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  VL3_FAIL(kInvalidArgument, "dtype \"{}\": choose float32 or bfloat16", name);
}

// What trains, in the order of the data flow.
std::vector<Trainable> trainables(const TrainConfig& config, const weights::Checkpoint& checkpoint) {
  for (const Part part : kParts) {
    const auto rate = learning_rate(config.lr, part);
    VL3_CHECK(!rate || (*rate > 0 && std::isfinite(*rate)), kInvalidArgument,
              "lr.{}_lr {}: expected above 0; leave it out to freeze the part", part_name(part),
              rate.value_or(0));
  }
  std::vector<Trainable> adapters;
  std::set<Part> adapted;
  if (config.lora) {
    adapters = adapter_parameters(*config.lora, checkpoint.config());
    for (const Trainable& adapter : adapters) adapted.insert(part_of(adapter.name));
  }
  for (const Part part : adapted) {
    VL3_CHECK(learning_rate(config.lr, part).has_value(), kInvalidArgument,
              "lora.target_modules reach into {}, but lr.{}_lr is not set: it is the adapters' learning rate",
              part_name(part), part_name(part));
  }
  std::vector<Trainable> found;
  for (const auto& tensor : checkpoint.tensors()) {
    const Part part = part_of(tensor.name);
    if (learning_rate(config.lr, part) && !adapted.contains(part))
      found.push_back({tensor.name, tensor.shape});
  }
  if (config.objective == "patch_labels") found.push_back(patch_head(checkpoint.config().vision));
  // Adapters of encoder and projector before those of the decoder, as their linears are.
  found.insert(found.end(), adapters.begin(), adapters.end());
  VL3_CHECK(!found.empty(), kInvalidArgument,
            "nothing would train: set lr.llm_lr, lr.mm_projector_lr or lr.vision_encoder_lr");
  return found;
}

}  // namespace

struct TrainStep::Impl {
  Impl(std::shared_ptr<const weights::Checkpoint> from, const TrainConfig& train_config, int64_t total_steps,
       at::Device device, Collective& with)
      : checkpoint(std::move(from)),
        config(train_config),
        collective(&with),
        schedule(train_config.optim, total_steps),
        store(checkpoint, trainables(train_config, *checkpoint),
              {.dtype = compute_dtype(train_config.dtype),
               .device = device,
               .shares = with.world_size(),
               .muon = train_config.optim.optimizer == "muon"}),
        model(store, checkpoint->config()) {
    const RowLossOptions options{.loss_vocab_tile = config.loss_vocab_tile,
                                 .recompute = config.gradient_checkpointing};
    if (config.objective == "patch_labels")
      patch_loss.emplace(model, store, checkpoint->config(), options, config.seed);
    else
      row_loss.emplace(model, store, checkpoint->config(), options);
    if (config.lora) attach_adapters(*model, store, *config.lora, config.seed);
    optimizer = std::make_unique<Optimizer>(store, with, config.optim);
    sync = std::make_unique<GradientSync>(store, with);
  }

  RowLoss::Result forward(const data::PackedRow& row) const {
    return patch_loss ? patch_loss->forward(row) : row_loss->forward(row);
  }

  // Forward and backward of all rows; @return [loss sum, labelled tokens, tokens, rows with a loss that is
  // not finite] over all processes, and in `bad` the ids of this process's samples of such rows.
  std::array<double, 4> accumulate(std::span<const data::PackedRow> rows, std::string* bad,
                                   AnswerScores* answers = nullptr) {
    std::array<double, 4> sums{};
    sync->begin_window();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i + 1 == rows.size()) sync->begin_last_row();
      if (config.lora && config.lora->lora_dropout > 0) seed_adapters(*model, row_seed(i));
      const c10::AutoGradMode recording(true);
      const RowLoss::Result result = forward(rows[i]);
      const auto loss = result.sum.item<double>();
      if (answers != nullptr) add_scores(answers, result.answers);
      sums[1] += static_cast<double>(result.labelled_tokens);
      sums[2] += static_cast<double>(rows[i].length());
      if (!std::isfinite(loss)) {
        *bad += (bad->empty() ? "" : ", ") + ids_of(rows[i]);
        sums[3] += 1;
        continue;  // the others wait for this process's gradients: finish the window, then stop together
      }
      sums[0] += loss;
      if (result.sum.requires_grad()) result.sum.backward();
    }
    sync->finish_window();
    if (collective->world_size() > 1) {
      at::Tensor all = at::tensor(at::ArrayRef<double>(sums), at::kDouble).to(store.options().device);
      collective->all_reduce_sum(all);
      all = all.cpu();
      std::copy_n(all.const_data_ptr<double>(), sums.size(), sums.begin());
    }
    return sums;
  }

  uint64_t row_seed(size_t row) const {
    return config.seed + 0x9e3779b97f4a7c15 * (static_cast<uint64_t>(steps) * 65536 + row + 1) +
           static_cast<uint64_t>(collective->rank()) * 0xbf58476d1ce4e5b9;
  }

  // Ids of all processes, for an error that all of them meet.
  std::string everywhere(const std::string& ids) {
    std::vector<std::string> all = Exchange(*collective, store.options().device).from_all(ids);
    std::erase(all, "");
    return fmt::format("{}", fmt::join(all, ", "));
  }

  std::shared_ptr<const weights::Checkpoint> checkpoint;
  TrainConfig config;
  Collective* collective;
  LrSchedule schedule;
  ParameterStore store;
  engine::VideoLlama3 model;
  std::optional<RowLoss> row_loss;      // the one or …
  std::optional<PatchLoss> patch_loss;  // … the other, by config.objective
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<GradientSync> sync;
  int64_t steps = 0;
};

TrainStep::TrainStep(std::shared_ptr<const weights::Checkpoint> checkpoint, const TrainConfig& config,
                     int64_t total_steps, at::Device device, Collective& collective)
    : impl_(std::make_unique<Impl>(std::move(checkpoint), config, total_steps, device, collective)) {}

TrainStep::~TrainStep() = default;

StepLog TrainStep::step(std::span<const data::PackedRow> rows) {
  Impl& my = *impl_;
  std::string bad;
  AnswerScores answers;
  const auto [loss_sum, labelled, tokens, bad_rows] = my.accumulate(rows, &bad, &answers);
  VL3_CHECK(bad_rows == 0, kCorrupt,
            "step {}: the loss is not finite; samples: {}. Weights are as before the step. Look at these "
            "samples, or lower the learning rate",
            my.steps + 1, my.everywhere(bad));
  VL3_CHECK(labelled > 0, kInvalidArgument, "step {}: no token is labelled; samples: {}", my.steps + 1,
            my.everywhere(ids_of(rows)));

  StepLog log{.step = my.steps + 1,
              .loss = loss_sum / labelled,
              .labelled_tokens = static_cast<int64_t>(labelled),
              .tokens = static_cast<int64_t>(tokens),
              .grad_norm = 0,
              .grad_norm_per_group = {},
              .answers = std::move(answers),
              .lr = {}};
  double squares = 0;
  for (const auto& [part, sum] : my.optimizer->squared_norms(*my.sync)) {
    log.grad_norm_per_group[part_name(part)] = std::sqrt(sum) / labelled;
    squares += sum;
  }
  log.grad_norm = std::sqrt(squares) / labelled;
  VL3_CHECK(std::isfinite(log.grad_norm), kCorrupt,
            "step {}: the gradient is not finite; samples: {}. Weights are as before the step. Look at these "
            "samples, or lower the learning rate",
            my.steps + 1, my.everywhere(ids_of(rows)));
  double scale = 1 / labelled;
  // Source: torch.nn.utils.clip_grad_norm_, whose 1e-6 it keeps.
  if (my.config.optim.max_grad_norm)
    scale *= std::min(1.0, *my.config.optim.max_grad_norm / (log.grad_norm + 1e-6));

  LearningRates rates = my.config.lr;
  const double multiplier = my.schedule.multiplier(my.steps);
  for (auto* rate : {&rates.llm_lr, &rates.mm_projector_lr, &rates.vision_encoder_lr}) {
    if (*rate) **rate *= multiplier;
  }
  for (const auto& [name, norm] : log.grad_norm_per_group) {
    for (const Part part : kParts) {
      if (name == part_name(part)) log.lr[name] = learning_rate(rates, part).value();
    }
  }
  my.optimizer->step(*my.sync, rates, scale, my.steps + 1);
  ++my.steps;
  return log;
}

TrainStep::Loss TrainStep::evaluate(std::span<const data::PackedRow> rows) {
  const c10::AutoGradMode off(false);
  Impl& my = *impl_;
  if (my.config.lora) set_adapter_dropout(*my.model, 0);
  Loss loss;
  for (const data::PackedRow& row : rows) {
    const RowLoss::Result result = my.forward(row);
    loss.sum += result.sum.item<double>();
    loss.labelled_tokens += result.labelled_tokens;
  }
  if (my.config.lora) set_adapter_dropout(*my.model, my.config.lora->lora_dropout);
  return loss;
}

std::map<std::string, at::Tensor> TrainStep::gradients(std::span<const data::PackedRow> rows, Loss* loss) {
  Impl& my = *impl_;
  std::string bad;
  const auto sums = my.accumulate(rows, &bad);
  *loss = {.sum = sums[0], .labelled_tokens = static_cast<int64_t>(sums[1])};
  std::map<std::string, at::Tensor> gradients;
  for (const Parameter& parameter : my.store.parameters())
    gradients[parameter.name] = (parameter.grad_sum / sums[1]).cpu();
  return gradients;
}

int64_t TrainStep::steps_done() const { return impl_->steps; }

std::vector<LazyTensor> TrainStep::state() {
  std::vector<LazyTensor> state = {
      {"step", at::kLong, {1}, [steps = impl_->steps] { return at::full({1}, steps, at::kLong); }}};
  if (impl_->patch_loss) {
    const at::Tensor head = impl_->store.find(kPatchHead)->weight.detach();
    state.push_back({kPatchHead, head.scalar_type(), head.sizes().vec(), [head] { return head; }});
  }
  std::ranges::move(impl_->optimizer->state(), std::back_inserter(state));
  return state;
}

void TrainStep::load_state(const std::map<std::string, at::Tensor>& state) {
  const auto step = state.find("step");
  VL3_CHECK(step != state.end() && step->second.scalar_type() == at::kLong && step->second.numel() == 1,
            kCorrupt, "optimizer state lacks \"step\" (int64 [1])");
  if (impl_->patch_loss) {
    const auto head = state.find(kPatchHead);
    const at::Tensor own = impl_->store.find(kPatchHead)->weight.detach();
    VL3_CHECK(head != state.end() && head->second.sizes() == own.sizes(), kCorrupt,
              "optimizer state lacks {} [{}]", kPatchHead, fmt::join(own.sizes(), ", "));
    own.copy_(head->second);
  }
  impl_->optimizer->load_state(state);
  impl_->steps = step->second.item<int64_t>();
}

std::map<std::string, at::Tensor> TrainStep::weights() const {
  std::map<std::string, at::Tensor> weights;
  for (const auto& item : impl_->model->named_parameters()) weights[item.key()] = item.value().detach();
  return weights;
}

std::vector<LazyTensor> TrainStep::merged_weights() const {
  std::vector<LazyTensor> all;
  for (const auto& [name, weight] : weights()) {
    const std::string linear = name.substr(0, name.rfind(".weight"));
    const Parameter* a = impl_->store.find(linear + ".lora_A.weight");
    const Parameter* b = impl_->store.find(linear + ".lora_B.weight");
    const auto get = [this, weight = weight, a, b] {
      if (a == nullptr || b == nullptr) return weight;
      const c10::AutoGradMode off(false);
      return merged_weight(weight, a->weight, b->weight, *impl_->config.lora).to(weight.scalar_type());
    };
    all.push_back({name, weight.scalar_type(), weight.sizes().vec(), get});
  }
  return all;
}

AdapterFiles TrainStep::adapter() const {
  VL3_CHECK(impl_->config.lora.has_value(), kInvalidArgument,
            "this run trains no adapters: the recipe has no [lora]");
  AdapterFiles adapter{.lora = *impl_->config.lora, .tensors = {}};
  for (const Parameter& parameter : impl_->store.parameters()) {
    if (parameter.name.find(".lora_") != std::string::npos)
      adapter.tensors[parameter.name] = parameter.weight.detach().cpu().to(at::kFloat);
  }
  return adapter;
}

void TrainStep::load_trained(const std::shared_ptr<const weights::Checkpoint>& later) {
  const c10::AutoGradMode off(false);
  nn::CheckpointSource stored(later, impl_->store.options().dtype, impl_->store.options().device);
  for (Parameter& parameter : impl_->store.parameters()) {
    if (parameter.name.find(".lora_") == std::string::npos)
      parameter.weight.copy_(stored.get(parameter.name, parameter.shape));
  }
  impl_->optimizer->refresh_masters();
}

void TrainStep::load_adapter(const AdapterFiles& adapter) {
  const c10::AutoGradMode off(false);
  size_t used = 0;
  for (Parameter& parameter : impl_->store.parameters()) {
    if (parameter.name.find(".lora_") == std::string::npos) continue;
    const auto found = adapter.tensors.find(parameter.name);
    VL3_CHECK(found != adapter.tensors.end(), kCorrupt, "the adapter lacks {}", parameter.name);
    VL3_CHECK(found->second.sizes() == at::IntArrayRef(parameter.shape), kCorrupt,
              "the adapter's {}: expected [{}]", parameter.name, fmt::join(parameter.shape, ", "));
    parameter.weight.copy_(found->second);
    ++used;
  }
  VL3_CHECK(used == adapter.tensors.size(), kCorrupt,
            "the adapter has {} tensors, of which this recipe's targets use {}", adapter.tensors.size(),
            used);
  impl_->optimizer->refresh_masters();
}

TrainStep::Memory TrainStep::memory() const {
  Memory memory;
  for (const Parameter& parameter : impl_->store.parameters()) memory.trained_parameters += parameter.numel;
  for (const Bucket& bucket : impl_->store.buckets()) {
    memory.weight_bytes += static_cast<int64_t>(bucket.weights.nbytes());
    memory.gradient_bytes += static_cast<int64_t>(bucket.grads.nbytes());
  }
  memory.optimizer_bytes = impl_->optimizer->state_bytes();
  return memory;
}

}  // namespace vl3::train
