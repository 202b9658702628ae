#include "quantize/calibration.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include "core/check.h"
#include "engine/prefill.h"

namespace vl3::quantize {
namespace {

constexpr int64_t kHeldOutRows = 256;  // of one matrix, over all samples

// Adds up what one set of inputs shows.
class Gatherer {
 public:
  Gatherer(int64_t in, bool second_moment, int64_t rows_a_sample)
      : rows_a_sample_(rows_a_sample), square_(at::zeros({in})) {
    if (second_moment) moment_ = at::zeros({in, in});
  }

  void see(const at::Tensor& inputs, bool held_out) {
    const at::Tensor x = inputs.reshape({-1, square_.size(0)}).to(at::kFloat);
    if (held_out) {
      kept_.push_back(x.clone());
      return;
    }
    rows_ += x.size(0);
    square_.add_(x.square().sum(0));
    if (moment_.defined()) moment_.addmm_(x.t(), x);
  }

  // Keeps some rows of a held-out sample, spread over all of it.
  void end_of_sample() {
    if (kept_.empty()) return;
    const at::Tensor all = at::cat(kept_);
    kept_.clear();
    const int64_t n = std::min(rows_a_sample_, all.size(0));
    const at::Tensor index = at::linspace(0, static_cast<double>(all.size(0) - 1), n).round().to(at::kLong);
    held_out_.push_back(all.index_select(0, index));
  }

  std::optional<InputStats> stats() const {
    if (rows_ == 0 || held_out_.empty()) return std::nullopt;
    InputStats out{square_ / static_cast<double>(rows_), {}, at::cat(held_out_)};
    if (moment_.defined()) out.second_moment = moment_ / static_cast<double>(rows_);
    return out;
  }

 private:
  int64_t rows_a_sample_, rows_ = 0;
  at::Tensor square_, moment_;
  std::vector<at::Tensor> kept_, held_out_;
};

// Sets the linears' observers, and takes them back whatever happens.
class Observers {
 public:
  ~Observers() {
    for (const auto& linear : linears_) linear->observer = nullptr;
  }
  void set(std::shared_ptr<nn::LinearImpl> linear, std::function<void(const at::Tensor&)> observer) {
    linear->observer = std::move(observer);
    linears_.push_back(std::move(linear));
  }

 private:
  std::vector<std::shared_ptr<nn::LinearImpl>> linears_;
};

}  // namespace

std::string inputs_key(const std::string& weight) {
  for (const auto& [own, shared] :
       {std::pair(".k_proj.weight", ".q_proj.weight"), std::pair(".v_proj.weight", ".q_proj.weight"),
        std::pair(".up_proj.weight", ".gate_proj.weight")}) {
    if (weight.ends_with(own)) return weight.substr(0, weight.size() - std::string_view(own).size()) + shared;
  }
  return weight;
}

uint64_t stats_bytes(const Module& module) {
  if (!module.multiplied || inputs_key(module.weight) != module.weight) return 0;
  const auto in = static_cast<uint64_t>(module.in);
  return 4 * in * (1 + kHeldOutRows + (module.scheme.bits == 4 ? in : 0));
}

std::map<std::string, InputStats> gather_stats(const engine::Runtime& runtime,
                                               const std::vector<Module>& modules,
                                               const std::vector<Sample>& seen,
                                               const std::vector<Sample>& held_out,
                                               const std::function<void()>& step) {
  const c10::InferenceMode inference;
  const int64_t rows_a_sample =
      std::max<int64_t>(1, kHeldOutRows / std::max<int64_t>(1, static_cast<int64_t>(held_out.size())));
  std::map<std::string, Gatherer> gatherers;
  const auto linears = runtime.model->named_modules();
  bool holding_out = false;
  Observers observers;
  Gatherer* head = nullptr;
  for (const Module& module : modules) {
    if (!module.multiplied || inputs_key(module.weight) != module.weight) continue;
    Gatherer& own =
        gatherers.try_emplace(module.weight, module.in, module.scheme.bits == 4, rows_a_sample).first->second;
    if (module.part ==
        Part::kEmbeddings) {  // the head, by whichever name: its inputs are the decoder's outputs
      head = &own;
      continue;
    }
    const std::string name =
        module.weight.substr(0, module.weight.size() - std::string_view(".weight").size());
    const auto* found = linears.find(name);
    auto linear = found ? std::dynamic_pointer_cast<nn::LinearImpl>(*found) : nullptr;
    VL3_CHECK(linear != nullptr, kInternal, "the model has no linear {}", name);
    observers.set(std::move(linear), [&own, &holding_out](const at::Tensor& x) { own.see(x, holding_out); });
  }
  for (const auto* samples : {&seen, &held_out}) {
    holding_out = samples == &held_out;
    for (const Sample& sample : *samples) {
      step();
      engine::Request request = request_of(runtime, sample, /*answered=*/true);
      engine::PrefillHooks hooks;
      if (head != nullptr) hooks.hidden = [&](const at::Tensor& x) { head->see(x, holding_out); };
      lm::KvCache cache(runtime.config.text, 1, runtime.weight_dtype, runtime.device);
      engine::VisionCache no_vision_cache(0);
      engine::prefill(runtime, request, cache, {}, no_vision_cache, hooks, 0);
      for (auto& [name, gatherer] : gatherers) gatherer.end_of_sample();
    }
  }
  std::map<std::string, InputStats> out;
  for (const auto& [name, gatherer] : gatherers) {
    if (auto stats = gatherer.stats()) out.emplace(name, std::move(*stats));
  }
  return out;
}

}  // namespace vl3::quantize
