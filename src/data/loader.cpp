#include "data/loader.h"

#include <utility>

#include "core/check.h"
#include "data/packing.h"
#include "data/sample_pipeline.h"

namespace vl3::data {
namespace {

void check_settings(const DataConfig& data, const LoaderOptions& options) {
  const auto at_least_one = [](const char* key, int64_t value) {
    VL3_CHECK(value >= 1, kInvalidArgument, "{} is {}; it must be 1 or more", key, value);
  };
  at_least_one("data.dataloader_num_workers", data.dataloader_num_workers);
  at_least_one("data.prefetch_bytes", data.prefetch_bytes);
  at_least_one("global_batch_size", options.global_batch_size);
  at_least_one("global_batch_tokens", options.global_batch_tokens.value_or(1));
  VL3_CHECK(data.sample_timeout_s > 0 && data.sample_timeout_s <= 1e6, kInvalidArgument,
            "data.sample_timeout_s is {}; it must be above 0, at most 1e6", data.sample_timeout_s);
  VL3_CHECK(data.max_bad_share >= 0 && data.max_bad_share <= 1, kInvalidArgument,
            "data.max_bad_share is {}; it must be 0..1", data.max_bad_share);
  VL3_CHECK(data.packing == "budget" || data.packing == "samples", kInvalidArgument,
            "data.packing is \"{}\"; it must be \"budget\" or \"samples\"", data.packing);
  if (data.packing == "samples") at_least_one("data.row_samples", data.row_samples);
  VL3_CHECK(data.packing == "samples" || data.row_tokens >= data.model_max_length, kInvalidArgument,
            "data.row_tokens is {}, below data.model_max_length {}: the longest samples would fit no row; "
            "raise it or "
            "lower that",
            data.row_tokens, data.model_max_length);
  VL3_CHECK(options.world_size >= 1 && options.rank >= 0 && options.rank < options.world_size,
            kInvalidArgument, "process {} of {}", options.rank, options.world_size);
}

}  // namespace

SampleFunctions sample_functions(const std::shared_ptr<const SampleBuilder>& builder) {
  SampleFunctions functions;
  functions.build = [builder](const Record& record, const std::atomic<bool>& cancelled) {
    return builder->build(record, &cancelled);
  };
  functions.estimate = [builder](const Record& record) { return builder->estimate_tokens(record); };
  return functions;
}

Loader::Loader(std::unique_ptr<RecordStream> stream, SampleFunctions functions, const DataConfig& data,
               const LoaderOptions& options)
    : data_(data) {
  check_settings(data, options);
  pipeline_ = std::make_unique<SamplePipeline>(std::move(stream), std::move(functions), data, options);
}

Loader::~Loader() = default;

std::vector<PackedRow> Loader::pack(std::vector<Sample> samples) const {
  std::vector<int64_t> lengths;
  lengths.reserve(samples.size());
  for (const Sample& sample : samples) lengths.push_back(static_cast<int64_t>(sample.input_ids.size()));
  const Groups groups = data_.packing == "budget" ? pack_by_budget(lengths, data_.row_tokens)
                                                  : pack_by_count(samples.size(), data_.row_samples);
  std::vector<PackedRow> rows;
  for (const std::vector<size_t>& group : groups) {
    std::vector<Sample> members;
    members.reserve(group.size());
    for (const size_t i : group) members.push_back(std::move(samples[i]));
    rows.push_back(make_row(std::move(members)));
  }
  return rows;
}

std::optional<StepBatch> Loader::next() {
  std::optional<BuiltStep> built = pipeline_->next();
  if (!built) return std::nullopt;
  StepBatch batch;
  batch.interrupted = built->interrupted;
  if (batch.interrupted) return batch;
  batch.step = built->step;
  batch.records = built->records;
  batch.records_seen = built->records_seen;
  std::vector<Sample> samples;
  for (BuiltSample& one : built->samples) {
    if (one.sample) {
      batch.tokens += static_cast<int64_t>(one.sample->input_ids.size());
      samples.push_back(std::move(*one.sample));
    } else {
      batch.bad.push_back({one.id, one.origin.file, one.origin.line, one.bad->kind(), one.bad->what()});
    }
  }
  batch.samples = static_cast<int64_t>(samples.size());
  batch.rows = pack(std::move(samples));
  return batch;
}

Json Loader::state() const { return pipeline_->state(); }
void Loader::restore(const Json& state) { pipeline_->restore(state); }
int64_t Loader::held_bytes() const { return pipeline_->held_bytes(); }
int64_t Loader::most_held_bytes() const { return pipeline_->most_held_bytes(); }

}  // namespace vl3::data
