// Rows of tokens for each optimizer step, built ahead in worker threads. What a step holds follows from the
// stream and the settings alone, whatever the number of workers; a sample that hangs costs its own time-out,
// nothing else.
//
// Note: steps and processes. Every process walks through the whole stream; a step is the next
// global_batch_size records (or as many as are estimated to reach global_batch_tokens). Of these each process
// builds its own part, balanced by estimated tokens, so a step has the same samples however many processes
// share it. Bad samples leave their step smaller, in the extreme without a row for some process. The last
// step of the stream may be smaller, too.
//
// Note: estimates. For several processes, and for global_batch_tokens, one thread of every process reads the
// headers of every record's media, in the same order, so that all of them come to the same parts. A record
// whose headers hang would have to be given up by all at once; next() throws when one takes longer than
// sample_timeout_s.
//
// One thread calls next(), state() and restore(). Memory: prefetch_bytes, or one step where that is more,
// beside what next() gave, and one sample a worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/bad_sample.h"
#include "data/data_config.h"
#include "data/packed_row.h"
#include "data/record.h"
#include "data/sample_builder.h"

namespace vl3::data {

class SamplePipeline;

struct LoaderOptions {
  int64_t rank = 0;
  int64_t world_size = 1;
  int64_t global_batch_size = 128;                            ///< records a step, over all processes
  std::optional<int64_t> global_batch_tokens = std::nullopt;  ///< instead: estimated tokens a step …
  int64_t most_records = 0;  ///< … of at most so many records (those of an epoch); 0: of any number
  /// Asked several times a second while next() waits; true ends the wait.
  std::function<bool()> stop_asked = nullptr;
};

/// This process's part of an optimizer step.
struct StepBatch {
  int64_t step = 0;                 ///< from 0
  bool interrupted = false;         ///< stop_asked() ended the wait: there is nothing else in it
  std::vector<PackedRow> rows;      ///< perhaps none
  int64_t records = 0;              ///< of all processes, bad ones too
  int64_t records_seen = 0;         ///< of the stream, this step included
  int64_t samples = 0;              ///< in rows
  int64_t tokens = 0;               ///< in rows
  std::vector<BadSampleEntry> bad;  ///< of this process
};

/// What a loader builds with; SampleBuilder's two functions, or a test's.
struct SampleFunctions {
  std::function<Sample(const Record&, const std::atomic<bool>& cancelled)> build;
  std::function<int64_t(const Record&)>
      estimate;  ///< called only for several processes or global_batch_tokens
};

SampleFunctions sample_functions(const std::shared_ptr<const SampleBuilder>& builder);

class Loader {
 public:
  /// @throws Error(kInvalidArgument) for settings that cannot be honoured, row_tokens below model_max_length
  /// too.
  Loader(std::unique_ptr<RecordStream> stream, SampleFunctions functions, const DataConfig& data,
         const LoaderOptions& options);
  /// Stops at once; a thread that hangs in a decoder is left to itself after sample_timeout_s.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next step; nothing after the last one. After an interrupted one it is the same step again.
  /// @throws what the stream throws; Error(kInternal) of building; Error(kResourceExhausted) for an estimate
  /// that hangs.
  std::optional<StepBatch> next();

  /// Goes on with the step after the one that next() gave last. The same for every process.
  Json state() const;
  /// Before the first next(). Also with a state of another number of processes or workers.
  void restore(const Json& state);

  /// Of samples that wait, and the most there have been; for tests and for people.
  int64_t held_bytes() const;
  int64_t most_held_bytes() const;

 private:
  std::vector<PackedRow> pack(std::vector<Sample> samples) const;

  DataConfig data_;
  std::unique_ptr<SamplePipeline> pipeline_;
};

}  // namespace vl3::data
