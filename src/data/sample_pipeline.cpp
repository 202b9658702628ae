#include "data/sample_pipeline.h"

#include <algorithm>
#include <limits>

#include "core/check.h"
#include "core/log.h"
#include "data/packing.h"

namespace vl3::data {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLookEvery = std::chrono::milliseconds(50);
constexpr size_t kMostSteps = 64;  // read ahead of the caller

int64_t bytes_of(const Sample& sample) {
  size_t bytes =
      sizeof(Sample) + 8 * (sample.input_ids.size() + sample.labels.size() + sample.visual_positions.size());
  for (const VisualMedium& medium : sample.media) {
    bytes += sizeof(VisualMedium) + medium.patches_u8.size() + medium.keep.size();
  }
  return static_cast<int64_t>(bytes);
}

struct Task {
  Record record;
  int64_t step = 0;
  std::atomic<bool> cancelled{false};
  // Guarded by the mutex:
  bool running = false;
  bool done = false;
  Clock::time_point started;
  BuiltSample built;
  std::exception_ptr failure;
  int64_t bytes = 0;
};

struct Step {
  int64_t number = 0;
  int64_t records = 0, records_before = 0;
  Json stream_before;
  std::vector<std::shared_ptr<Task>> tasks;
};

}  // namespace

struct SamplePipeline::Shared : std::enable_shared_from_this<SamplePipeline::Shared> {
  // Set once:
  std::unique_ptr<RecordStream> stream;  // the scheduler's alone once it runs
  SampleFunctions functions;
  DataConfig data;
  LoaderOptions options;

  mutable std::mutex mutex;
  std::condition_variable changed;
  // Guarded by the mutex:
  std::deque<Step> steps;  // not delivered yet
  std::deque<std::shared_ptr<Task>> waiting;
  std::vector<std::shared_ptr<Task>> running;
  int64_t workers = 0;  // threads that are not left behind
  int64_t held = 0, most_held = 0, largest = 0;
  int64_t next_step = 0;  // that the scheduler will read
  int64_t records_read = 0;
  Json stream_after;  // the stream's state behind the last of `steps`
  bool stop = false;
  bool ended = false;
  std::exception_ptr failure;                                      // of the stream
  std::optional<std::pair<Origin, Clock::time_point>> estimating;  // by the scheduler, since

  void schedule();
  bool read_step();
  int64_t estimated(const Record& record);
  void work();
  void spawn_worker();
  bool may_start() const;
  void drop_overdue();
};

void SamplePipeline::Shared::schedule() {
  try {
    while (read_step()) {
    }
  } catch (...) {
    const std::lock_guard lock(mutex);
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex);
  ended = true;
  changed.notify_all();
}

int64_t SamplePipeline::Shared::estimated(const Record& record) {
  {
    const std::lock_guard lock(mutex);
    estimating.emplace(record.origin, Clock::now());
  }
  const int64_t tokens = std::max<int64_t>(functions.estimate(record), 1);
  const std::lock_guard lock(mutex);
  estimating.reset();
  return tokens;
}

/// Reads one step of the stream when there is room for it; false at the end.
bool SamplePipeline::Shared::read_step() {
  Step step;
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] {
      const bool enough =
          steps.size() >= 2 && waiting.size() >= 2 * static_cast<size_t>(data.dataloader_num_workers);
      return stop || (!enough && steps.size() < kMostSteps);
    });
    if (stop) return false;
    step.number = next_step;
    step.records_before = records_read;
    step.stream_before = stream_after;
  }
  const bool by_tokens = options.global_batch_tokens.has_value();
  const bool estimate = by_tokens || options.world_size > 1;
  std::vector<Record> records;
  std::vector<int64_t> lengths;
  int64_t tokens = 0;
  const int64_t most = !by_tokens                 ? options.global_batch_size
                       : options.most_records > 0 ? options.most_records
                                                  : std::numeric_limits<int64_t>::max();
  while (static_cast<int64_t>(records.size()) < most &&
         (!by_tokens || tokens < *options.global_batch_tokens)) {
    std::optional<Record> record = stream->next();
    if (!record) break;
    lengths.push_back(estimate ? estimated(*record) : 1);
    tokens += lengths.back();
    records.push_back(std::move(*record));
    const std::lock_guard lock(mutex);
    if (stop) return false;
  }
  if (records.empty()) return false;
  step.records = static_cast<int64_t>(records.size());
  const Groups shares = balance(lengths, options.world_size);
  for (const size_t i : shares[static_cast<size_t>(options.rank)]) {
    auto task = std::make_shared<Task>();
    task->record = std::move(records[i]);
    task->step = step.number;
    task->built.origin = task->record.origin;
    step.tasks.push_back(std::move(task));
  }
  Json after = stream->state();
  const std::lock_guard lock(mutex);
  waiting.insert(waiting.end(), step.tasks.begin(), step.tasks.end());
  steps.push_back(std::move(step));
  ++next_step;
  records_read += static_cast<int64_t>(records.size());
  stream_after = std::move(after);
  changed.notify_all();
  return true;
}

/// Whether memory allows the next sample. What the caller waits for is always built.
bool SamplePipeline::Shared::may_start() const {
  if (waiting.empty()) return false;
  if (waiting.front()->step == steps.front().number) return true;
  const int64_t coming = (static_cast<int64_t>(running.size()) + 1) * largest;
  return held + coming <= data.prefetch_bytes;
}

void SamplePipeline::Shared::spawn_worker() {
  ++workers;
  std::thread([self = shared_from_this()] { self->work(); }).detach();
}

void SamplePipeline::Shared::work() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stop || may_start(); });
    if (stop) break;
    const std::shared_ptr<Task> task = waiting.front();
    waiting.pop_front();
    task->running = true;
    task->started = Clock::now();
    running.push_back(task);
    lock.unlock();
    BuiltSample built;
    built.origin = task->record.origin;
    std::exception_ptr failure_of_task;
    try {
      Sample sample = functions.build(task->record, task->cancelled);
      built.id = sample.id;
      VL3_SAMPLE_CHECK(
          sample.labelled_tokens > 0, kOverLength,
          "{}: nothing of {} tokens is learned: the cut at model_max_length took the answer; shorten it",
          task->record.origin.where(), sample.tokens_before_cut);
      built.sample = std::move(sample);
    } catch (const BadSample& bad) {
      if (built.id.empty()) built.id = bad.id();
      built.bad = bad;
    } catch (...) {
      failure_of_task = std::current_exception();
    }
    lock.lock();
    if (task->done) return;  // left behind: another thread has taken this one's place
    std::erase(running, task);
    if (built.sample) task->bytes = bytes_of(*built.sample);
    task->built = std::move(built);
    task->failure = failure_of_task;
    task->done = true;
    held += task->bytes;
    most_held = std::max(most_held, held);
    largest = std::max(largest, task->bytes);
    changed.notify_all();
  }
  --workers;
  changed.notify_all();
}

/// Gives up samples that took too long. Call with the mutex held.
void SamplePipeline::Shared::drop_overdue() {
  const auto limit = std::chrono::duration<double>(data.sample_timeout_s);
  const Clock::time_point now = Clock::now();
  // Every process estimates alike, so a record cannot be passed over by one of them: the run ends.
  VL3_CHECK(
      !estimating || now - estimating->second <= limit, kResourceExhausted,
      "{}: reading the headers of its media takes longer than sample_timeout_s = {}; is their disk there?",
      estimating->first.where(), data.sample_timeout_s);
  for (size_t i = 0; i < running.size();) {
    const std::shared_ptr<Task> task = running[i];
    if (now - task->started <= limit) {
      ++i;
      continue;
    }
    task->cancelled = true;
    task->done = true;
    task->built.bad = BadSample(
        BadKind::kTimeout,
        fmt::format("{}: took longer than sample_timeout_s = {} to read and decode; look at its media "
                    "or allow more",
                    task->record.origin.where(), data.sample_timeout_s));
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    --workers;
    spawn_worker();
  }
}

SamplePipeline::SamplePipeline(std::unique_ptr<RecordStream> stream, SampleFunctions functions,
                               const DataConfig& data, const LoaderOptions& options)
    : shared_(std::make_shared<Shared>()) {
  shared_->stream = std::move(stream);
  shared_->functions = std::move(functions);
  shared_->data = data;
  shared_->options = options;
  shared_->stream_after = shared_->stream->state();
}

void SamplePipeline::start() {
  started_ = true;
  scheduler_ = std::thread([shared = shared_] { shared->schedule(); });
  const std::lock_guard lock(shared_->mutex);
  for (int64_t i = 0; i < shared_->data.dataloader_num_workers; ++i) shared_->spawn_worker();
}

SamplePipeline::~SamplePipeline() {
  if (!started_) return;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->stop = true;
    for (const std::shared_ptr<Task>& task : shared_->running) task->cancelled = true;
    shared_->changed.notify_all();
    const auto patience = std::chrono::duration<double>(shared_->data.sample_timeout_s);
    shared_->changed.wait_for(lock, patience, [&] { return shared_->workers == 0 && shared_->ended; });
    if (shared_->workers > 0)
      logger().warn("{} loader threads hang in a decoder and are left behind", shared_->workers);
    if (!shared_->ended) {
      logger().warn("the thread that reads headers hangs in one and is left behind");
      scheduler_.detach();
      return;
    }
  }
  scheduler_.join();
}

std::optional<BuiltStep> SamplePipeline::next() {
  if (!started_) start();
  Shared& s = *shared_;
  std::unique_lock lock(s.mutex);
  const auto ready = [&] {
    if (s.steps.empty()) return s.ended;
    return std::ranges::all_of(s.steps.front().tasks, [](const auto& task) { return task->done; });
  };
  while (!s.changed.wait_for(lock, kLookEvery, ready)) {
    if (s.options.stop_asked && s.options.stop_asked()) {
      BuiltStep stopped;
      stopped.interrupted = true;
      return stopped;
    }
    s.drop_overdue();
  }
  if (s.steps.empty()) {
    if (s.failure) std::rethrow_exception(s.failure);
    return std::nullopt;
  }
  for (const auto& task : s.steps.front().tasks) {
    if (task->failure) std::rethrow_exception(task->failure);
  }
  BuiltStep built;
  built.step = s.steps.front().number;
  built.records = s.steps.front().records;
  built.records_seen = s.steps.front().records_before + built.records;
  for (const auto& task : s.steps.front().tasks) {
    s.held -= task->bytes;
    built.samples.push_back(std::move(task->built));
  }
  s.steps.pop_front();
  s.changed.notify_all();
  return built;
}

Json SamplePipeline::state() const {
  const std::lock_guard lock(shared_->mutex);
  const bool none = shared_->steps.empty();
  return {{"step", none ? shared_->next_step : shared_->steps.front().number},
          {"records", none ? shared_->records_read : shared_->steps.front().records_before},
          {"stream", none ? shared_->stream_after : shared_->steps.front().stream_before}};
}

void SamplePipeline::restore(const Json& state) {
  VL3_CHECK(!started_, kInvalidArgument, "a loader can be restored before its first step only");
  const JsonView view(state, "the loader's state");
  shared_->next_step = view.integer("step", 0);
  shared_->records_read = view.integer("records", 0);
  shared_->stream->restore(view.at("stream"));
  shared_->stream_after = shared_->stream->state();
}

int64_t SamplePipeline::held_bytes() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->held;
}

int64_t SamplePipeline::most_held_bytes() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->most_held;
}

}  // namespace vl3::data
