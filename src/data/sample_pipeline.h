// The threads behind a Loader: one reads the stream step by step and chooses this process's records, some
// build samples from them in that order. The caller's thread takes whole steps and, while it waits, looks for
// samples that take too long: their thread is left to itself and another one takes its place.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/loader.h"

namespace vl3::data {

/// What became of one record.
struct BuiltSample {
  Origin origin;
  std::string id;  ///< of a bad one: as far as it is known
  std::optional<Sample> sample;
  std::optional<BadSample> bad;
};

/// All of this process's records of a step, built, in order.
struct BuiltStep {
  bool interrupted = false;  ///< by stop_asked(): nothing else in it
  int64_t step = 0;
  int64_t records = 0;
  int64_t records_seen = 0;
  std::vector<BuiltSample> samples = {};
};

class SamplePipeline {
 public:
  SamplePipeline(std::unique_ptr<RecordStream> stream, SampleFunctions functions, const DataConfig& data,
                 const LoaderOptions& options);
  ~SamplePipeline();

  std::optional<BuiltStep> next();
  Json state() const;
  void restore(const Json& state);
  int64_t held_bytes() const;
  int64_t most_held_bytes() const;

 private:
  struct Shared;
  void start();

  std::shared_ptr<Shared> shared_;  ///< with the threads, also those left behind
  std::thread scheduler_;
  bool started_ = false;
};

}  // namespace vl3::data
