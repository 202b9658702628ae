// What a run trains on, from its recipe: records, how many steps they make, and the loader of rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "data/loader.h"
#include "data/mixture_stream.h"
#include "train/planner.h"
#include "train/train_config.h"
#include "weights/model_config.h"

namespace vl3::train {

/// Passes over the lists, or no end where max_steps says when it is over. @throws as data::open_mixture().
std::unique_ptr<data::MixtureStream> open_records(const TrainConfig& config);

/// Steps of the whole run.
/// @throws Error(kInvalidArgument) as check_batch(), for data without records, and where the length is not
/// known.
int64_t count_steps(const TrainConfig& config, const data::MixtureStream& records);

/// Builds up to `most` samples, spread over the run's first records, for up to `limit_s`, at least one.
/// Bad samples are left out. @return nothing where no sample was built.
/// @throws as open_records() and data::SampleBuilder.
std::optional<SampleMeans> measure_samples(const TrainConfig& config, const weights::ModelConfig& model,
                                           int64_t most = 64, double limit_s = 5);

/// The rows of process `rank` of `world_size`. Its waits end when StopSignal says so.
/// @throws as data::Loader and data::SampleBuilder.
std::unique_ptr<data::Loader> make_loader(std::unique_ptr<data::MixtureStream> records,
                                          const TrainConfig& config, const weights::ModelConfig& model,
                                          int64_t rank, int64_t world_size);

}  // namespace vl3::train
