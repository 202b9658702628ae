#include "train/run_data.h"

#include <cmath>
#include <utility>

#include "core/check.h"
#include "data/patch_samples.h"
#include "data/sample_builder.h"
#include "text/tokenizer.h"
#include "train/planner.h"
#include "train/stop_signal.h"

namespace vl3::train {
namespace {

int64_t whole_epoch(const data::MixtureStream& records) {
  return static_cast<int64_t>(std::ceil(records.records_per_epoch()));
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
  if (config.objective == "patch_labels")
    return std::make_unique<data::Loader>(std::move(records),
                                          data::patch_sample_functions(config.data, model.preprocess),
                                          config.data, options);
  auto tokenizer = std::make_shared<const text::Tokenizer>(text::Tokenizer::load(model.dir));
  media::MediaLimits limits;
  limits.timeout_s = config.data.sample_timeout_s;
  auto builder = std::make_shared<const data::SampleBuilder>(model, tokenizer, config.data, limits);
  return std::make_unique<data::Loader>(std::move(records), data::sample_functions(builder), config.data,
                                        options);
}

}  // namespace vl3::train
