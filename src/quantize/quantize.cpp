#include "quantize/quantize.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "core/check.h"
#include "core/file.h"
#include "ops/quantised_weight.h"
#include "quantize/calibration.h"
#include "quantize/report.h"
#include "quantize/rounding.h"
#include "quantize/writer.h"
#include "weights/staged_folder.h"

namespace vl3::quantize {
namespace {

void check(const Options& options) {
  const Bits& bits = options.bits;
  VL3_CHECK(bits.vision == 0 || bits.vision == 8, kInvalidArgument,
            "vision: {} bits; expected 8, or 0 for none", bits.vision);
  VL3_CHECK(bits.lm == 0 || bits.lm == 4 || bits.lm == 8, kInvalidArgument,
            "lm: {} bits; expected 8 or 4, or 0 for none", bits.lm);
  VL3_CHECK(bits.vision != 0 || bits.lm != 0, kInvalidArgument,
            "nothing to quantise: give vision or lm bits");
  VL3_CHECK(bits.group == 32 || bits.group == 64 || bits.group == 128, kInvalidArgument,
            "group {}: expected 32, 64 or 128", bits.group);
  VL3_CHECK(options.samples >= 2 && options.measured >= 1, kInvalidArgument,
            "{} samples for calibration and {} to measure on: expected at least 2 and 1", options.samples,
            options.measured);
  VL3_CHECK(options.max_shard_size > 0, kInvalidArgument, "max_shard_size 0: expected at least 1 byte");
}

double relative(const at::Tensor& error, const at::Tensor& of) {
  const double norm = of.norm().item<double>();
  return norm > 0 ? error.norm().item<double>() / norm : 0;
}

ops::QuantisedWeight packed(const Rounded& rounded, const weights::QuantScheme& scheme) {
  return scheme.bits == 8 ? ops::QuantisedWeight::int8(rounded.values, rounded.scale.flatten())
                          : ops::QuantisedWeight::int4(rounded.values, rounded.scale);
}

struct Chosen {
  Rounded rounded;
  ModuleVerdict verdict;
};

// Tries the roundings and keeps the one whose outputs are nearest on inputs that none of them has seen.
Chosen round_module(const Module& module, const at::Tensor& weight, const InputStats* stats,
                    at::ScalarType scale_dtype) {
  Chosen best{.rounded = {}, .verdict = {.module = module}};
  at::Tensor outputs;
  if (stats != nullptr) outputs = stats->held_out.matmul(weight.t());
  double least = 0;
  const auto consider = [&](const char* name, Rounded rounded) {
    const at::Tensor difference = rounded.dequantised().sub_(weight);
    const double weight_error = relative(difference, weight);
    const double error =
        stats != nullptr ? relative(stats->held_out.matmul(difference.t()), outputs) : weight_error;
    best.verdict.tried[name] = error;
    if (best.rounded.values.defined() && error >= least) return;
    least = error;
    best.verdict.rounding = name;
    best.verdict.weight_error = weight_error;
    best.verdict.output_error = stats != nullptr ? error : 0;
    best.rounded = std::move(rounded);
  };
  consider("nearest", round_nearest(weight, module.scheme, scale_dtype));
  consider("clipped", round_clipped(weight, module.scheme, scale_dtype,
                                    stats != nullptr ? stats->mean_square : at::Tensor()));
  if (stats != nullptr && stats->second_moment.defined()) {
    if (auto gptq = round_gptq(weight, module.scheme, scale_dtype, stats->second_moment))
      consider("gptq", std::move(*gptq));
  }
  if (stats != nullptr) {
    const at::Tensor found = ops::linear(stats->held_out, packed(best.rounded, module.scheme));
    best.verdict.output_error_rounded_inputs = relative(found - outputs, outputs);
  }
  return best;
}

class Work {
 public:
  Work(const std::filesystem::path& source, const Options& options)
      : options_(options), original_(engine::Runtime::load({.model = source, .flow = {}})) {
    VL3_CHECK(!original_->config.quantised, kInvalidArgument,
              "{}: is quantised already; quantise the model it was made of", source.string());
    modules_ = plan_modules(original_->config, options.bits);
    report_.model =
        source.filename().empty() ? source.parent_path().filename().string() : source.filename().string();
    report_.options = options;
    report_.bytes_before = original_->checkpoint->size_bytes();
    takes_media_ = original_->config.image_token_id >= 0;
    const weights::DType stored = original_->checkpoint->dtype();
    scale_dtype_ = stored == weights::DType::kF32   ? at::kFloat
                   : stored == weights::DType::kF16 ? at::kHalf
                                                    : at::kBFloat16;
  }

  // Modules in the order of the data flow, as many at once as their statistics fit into memory.
  void round_all() {
    const std::vector<Sample> seen = generate_samples(options_.samples, synth::Split::kTrain, takes_media_);
    const std::vector<Sample> held_out =
        generate_samples(options_.samples / 2, synth::Split::kHeldout, takes_media_);
    report_.calibration_samples = static_cast<int64_t>(seen.size() + held_out.size());
    size_t begin = 0;
    while (begin < modules_.size()) {
      size_t end = begin;
      uint64_t bytes = 0;
      // Those that share inputs stand together, the first of them with the statistics.
      while (end < modules_.size() &&
             (end == begin || bytes + stats_bytes(modules_[end]) <= options_.stats_bytes ||
              stats_bytes(modules_[end]) == 0))
        bytes += stats_bytes(modules_[end++]);
      const std::vector<Module> some(modules_.begin() + static_cast<int64_t>(begin),
                                     modules_.begin() + static_cast<int64_t>(end));
      int64_t sample = 0;
      const auto stats = gather_stats(*original_, some, seen, held_out, [&] {
        say(fmt::format("calibrate from matrix {} of {}: sample", begin + 1, modules_.size()), sample++,
            report_.calibration_samples);
      });
      for (const Module& module : some) {
        say("round", static_cast<int64_t>(begin++), static_cast<int64_t>(modules_.size()));
        const auto found = stats.find(inputs_key(module.weight));
        round(module, found == stats.end() ? nullptr : &found->second);
      }
    }
  }

  void write(const std::filesystem::path& folder) {
    report_.bytes_after =
        write_quantised(*original_->checkpoint, modules_, matrices_, options_.max_shard_size, folder,
                        [&](uint64_t done, uint64_t total) { say("write MiB", done >> 20, total >> 20); });
    matrices_.clear();
  }

  // Of what was written, part by part.
  void measure(const std::filesystem::path& folder) {
    const Float32Products exactly;
    const auto quantised = std::make_shared<const weights::Checkpoint>(
        weights::Checkpoint::open(folder, weights::load_model_config(folder)));
    std::vector<std::pair<std::string, std::set<Part>>> parts;
    std::set<Part> all;
    for (const Module& module : modules_) {
      if (all.insert(module.part).second) parts.push_back({part_name(module.part), {module.part}});
    }
    parts.push_back({"all", all});
    const auto total = static_cast<int64_t>(parts.size() * 2 + 1) * options_.measured;
    int64_t done = 0;
    const auto step = [&] { say("measure: sample", done++, total); };
    const auto plain = with_parts(*original_, quantised, {}, nn::PackedWeight::Inputs::kExact);
    // Other seeds would do as well; these samples follow those held out above.
    std::vector<Sample> samples =
        generate_samples(options_.samples / 2 + options_.measured, synth::Split::kHeldout, takes_media_);
    samples.erase(samples.begin(), samples.begin() + options_.samples / 2);
    const Reference reference(*plain, std::move(samples), step);
    report_.measured_samples = reference.samples();
    report_.measured_positions = reference.positions();
    for (const auto& [name, some] : parts) {
      PartVerdict verdict{.part = name};
      for (const auto inputs : {nn::PackedWeight::Inputs::kExact, nn::PackedWeight::Inputs::kRounded}) {
        const auto runtime = with_parts(*original_, quantised, some, inputs);
        (inputs == nn::PackedWeight::Inputs::kExact ? verdict.weights : verdict.all) =
            reference.loss_of(*runtime, step);
      }
      report_.parts.push_back(std::move(verdict));
    }
  }

  Report& report() { return report_; }

 private:
  void say(const std::string& stage, int64_t done, int64_t total) const {
    if (options_.progress) options_.progress(stage, done, total);
  }

  void round(const Module& module, const InputStats* stats) {
    const c10::InferenceMode inference;
    nn::CheckpointSource source(original_->checkpoint, at::kFloat, at::kCPU);
    const at::Tensor weight = source.get(module.weight, {module.out, module.in});
    VL3_CHECK(weight.isfinite().all().item<bool>(), kInvalidArgument, "{}: holds numbers that are not finite",
              module.weight);
    Chosen chosen = round_module(module, weight, stats, scale_dtype_);
    report_.modules.push_back(std::move(chosen.verdict));
    matrices_.emplace(module.weight, stored(chosen.rounded, module.scheme, scale_dtype_));
  }

  const Options& options_;
  std::shared_ptr<const engine::Runtime> original_;
  std::vector<Module> modules_;
  bool takes_media_ = true;
  at::ScalarType scale_dtype_ = at::kFloat;
  std::map<std::string, Stored> matrices_;
  Report report_;
};

}  // namespace

bool Report::within_limits() const {
  return loss().mean_kl <= options.max_kl && loss().agreement >= options.min_agreement;
}

Report quantize_checkpoint(const std::filesystem::path& source, const std::filesystem::path& out,
                           const Options& options) {
  check(options);
  Work work(source, options);
  weights::StagedFolder folder(out);
  work.round_all();
  work.write(folder.path());
  work.measure(folder.path());
  Report& report = work.report();
  if (options.judged) options.judged(report);
  VL3_CHECK(
      report.within_limits() || options.force, kInvalidArgument,
      "{}: not written: mean logit KL {:.3g} (limit {:.3g}), greedy agreement {:.1f} % (limit {:.1f} %); "
      "choose more bits or a smaller group, raise the limits, or --force",
      out.string(), report.loss().mean_kl, options.max_kl, 100 * report.loss().agreement,
      100 * options.min_agreement);
  write_file_atomically(folder.path() / "quantize.json", to_json(report).dump(2) + "\n");
  folder.commit();
  return report;
}

}  // namespace vl3::quantize
