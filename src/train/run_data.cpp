#include "train/run_data.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/seconds.h"
#include "data/patch_samples.h"
#include "data/sample_builder.h"
#include "text/tokenizer.h"
#include "train/stop_signal.h"

namespace vl3::train {
namespace {

int64_t whole_epoch(const data::MixtureStream& records) {
  return static_cast<int64_t>(std::ceil(records.records_per_epoch()));
}

data::SampleFunctions sample_functions(const TrainConfig& config, const weights::ModelConfig& model) {
  if (config.objective == "patch_labels") return data::patch_sample_functions(config.data, model.preprocess);
  auto tokenizer = std::make_shared<const text::Tokenizer>(text::Tokenizer::load(model.dir));
  media::MediaLimits limits;
  limits.timeout_s = config.data.sample_timeout_s;
  return data::sample_functions(
      std::make_shared<const data::SampleBuilder>(model, std::move(tokenizer), config.data, limits));
}

void add(const data::Sample& sample, SampleMeans* sums, double* frames) {
  sums->samples += 1;
  sums->visual += static_cast<double>(sample.visual_positions.size());
  sums->labelled += static_cast<double>(sample.labelled_tokens);
  sums->tokens += static_cast<double>(sample.input_ids.size());
  for (const data::VisualMedium& medium : sample.media) {
    sums->patches += static_cast<double>(medium.grid.t * medium.grid.h * medium.grid.w);
    *frames += static_cast<double>(medium.grid.t);
  }
}

}  // namespace

std::unique_ptr<data::MixtureStream> open_records(const TrainConfig& config) {
  return data::open_mixture(config.data, config.seed, config.max_steps ? 0 : config.num_train_epochs);
}

int64_t count_steps(const TrainConfig& config, const data::MixtureStream& records) {
  check_batch(config, whole_epoch(records));
  if (config.max_steps) return *config.max_steps;
  VL3_CHECK(!config.global_batch_tokens, kInvalidArgument,
            "global_batch_tokens is set, so the number of steps is not known beforehand: set max_steps, too");
  VL3_CHECK(records.total_records() > 0, kInvalidArgument, "the data has no record: look at data.sources");
  return (records.total_records() + config.global_batch_size - 1) / config.global_batch_size;
}

std::unique_ptr<data::Loader> make_loader(std::unique_ptr<data::MixtureStream> records,
                                          const TrainConfig& config, const weights::ModelConfig& model,
                                          int64_t rank, int64_t world_size) {
  const data::LoaderOptions options{.rank = rank,
                                    .world_size = world_size,
                                    .global_batch_size = config.global_batch_size,
                                    .global_batch_tokens = config.global_batch_tokens,
                                    .most_records = whole_epoch(*records),
                                    .stop_asked = [] { return StopSignal::requested() != 0; }};
  return std::make_unique<data::Loader>(std::move(records), sample_functions(config, model), config.data,
                                        options);
}

std::optional<SampleMeans> measure_samples(const TrainConfig& config, const weights::ModelConfig& model,
                                           int64_t most, double limit_s) {
  constexpr int64_t kFarthest = 64'000;  // records that are passed over cost a little, too
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const data::SampleFunctions functions = sample_functions(config, model);
  const std::unique_ptr<data::MixtureStream> records = open_records(config);
  const int64_t stride = std::max<int64_t>(1, std::min(kFarthest, whole_epoch(*records)) / most);
  const std::atomic<bool> cancelled = false;
  SampleMeans means;
  double frames = 0;
  std::optional<data::Record> record = records->next();
  for (int64_t tried = 0; record && tried < most; ++tried) {
    if (means.samples > 0 && seconds_since(start) > limit_s) break;
    try {
      add(functions.build(*record, cancelled), &means, &frames);
    } catch (const data::BadSample&) {  // training reports it
    }
    for (int64_t i = 0; record && i < stride; ++i) record = records->next();
  }
  if (means.samples == 0) return std::nullopt;
  if (frames > 0) means.frame_patches = means.patches / frames;
  const auto n = static_cast<double>(means.samples);
  for (double* sum : {&means.tokens, &means.visual, &means.labelled, &means.patches}) *sum /= n;
  return means;
}

}  // namespace vl3::train
