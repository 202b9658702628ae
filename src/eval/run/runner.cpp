#include "eval/run/runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/check.h"
#include "core/seconds.h"
#include "eval/run/conversation.h"

namespace vl3::eval {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

const Record* record_of(const Records& records, const Task& task, size_t item) {
  const auto known = records.find(task.benchmark->name);
  if (known == records.end()) return nullptr;
  const auto record = known->second.find(task.keys[item]);
  return record == known->second.end() ? nullptr : &record->second;
}

/// A group of questions with what is left of it.
struct Work {
  const Task* task;
  std::vector<size_t> items;
};

struct Share {
  std::vector<Work> work;
  int64_t questions = 0;  // of the whole share
  int64_t left = 0;
};

Share share_of(const std::vector<Task>& tasks, const RunOptions& options, const Records& records) {
  Share share;
  for (const Task& task : tasks) {
    for (size_t g = 0; g < task.data.groups.size(); ++g) {
      if (static_cast<int64_t>(g) % options.world_size != options.rank) continue;
      Work work{&task, {}};
      for (const size_t i : task.data.groups[g]) {
        ++share.questions;
        const Record* record = record_of(records, task, i);
        if (record == nullptr || !record->error.empty()) work.items.push_back(i);
      }
      share.left += static_cast<int64_t>(work.items.size());
      if (!work.items.empty()) share.work.push_back(std::move(work));
    }
  }
  return share;
}

/// Counts, running scores and time left, for people.
class Meter {
 public:
  Meter(const Share& share, const RunHooks& hooks) : hooks_(hooks), left_(share.left) {
    progress_.total = share.questions;
    progress_.done = share.questions - share.left;
  }

  void add(const Task& task, const Item& item, const Record& record) {
    const std::lock_guard lock(mutex_);
    progress_.task = task.benchmark->name;
    auto& [sum, count] = sums_[task.benchmark];
    sum += record.error.empty() ? score_answer(*task.benchmark, item, record.reply.text, {}).score : 0;
    count += 1;
    progress_.failed += record.error.empty() ? 0 : 1;
    ++progress_.done;
    ++answered_;
    progress_.score = 100 * sum / count;
    progress_.left_s = seconds_since(start_) / answered_ * (static_cast<double>(left_) - answered_);
    if (hooks_.on_progress) hooks_.on_progress(progress_);
  }

 private:
  const RunHooks& hooks_;
  std::mutex mutex_;
  RunProgress progress_;
  std::map<const Benchmark*, std::pair<double, double>> sums_;  // scores and their number
  double answered_ = 0;
  int64_t left_;
  Clock::time_point start_ = Clock::now();
};

Record ask(const Item& item, ConversationBuilder& builder, AnswerSession& session) {
  Record record;
  const auto start = Clock::now();
  try {
    record.reply = session.ask(builder.build(item));
  } catch (const FatalError&) {
    throw;
  } catch (const Error& error) {
    record.error = fmt::format("{}: {}", error_code_name(error.code()), error.what());
  } catch (const std::exception& error) {
    record.error = fmt::format("internal: {}", error.what());
  }
  record.seconds = seconds_since(start);
  return record;
}

/// Calls `action(i)` for every i below `count`, on as many threads; what one throws ends all.
void on_threads(size_t count, int threads, const std::function<void(size_t)>& action) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (size_t i = next++; i < count; i = next++) action(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

class Workers {
 public:
  Workers(const Share& share, Answerer& answerer, const RunOptions& options, const RunHooks& hooks,
          Journal& journal)
      : share_(share),
        answerer_(answerer),
        options_(options),
        hooks_(hooks),
        journal_(journal),
        meter_(share, hooks) {}

  void run() {
    const int threads = std::min(answerer_.at_once(), static_cast<int>(share_.work.size()));
    on_threads(share_.work.size(), threads, [this](size_t i) {
      try {
        answer(share_.work[i]);
      } catch (...) {
        stop_ = true;  // also those in the middle of a group
        throw;
      }
    });
  }

 private:
  void answer(const Work& work) {
    ConversationBuilder builder(options_.sampling, answerer_.wants_pictures());
    const std::unique_ptr<AnswerSession> session = answerer_.session();
    for (const size_t i : work.items) {
      if (stop_) return;
      VL3_CHECK(!hooks_.cancelled || !hooks_.cancelled(), kCancelled, "stopped");
      const Item& item = work.task->data.items[i];
      const Record record = ask(item, builder, *session);
      journal_.append(work.task->benchmark->name, work.task->keys[i], record);
      meter_.add(*work.task, item, record);
    }
  }

  const Share& share_;
  Answerer& answerer_;
  const RunOptions& options_;
  const RunHooks& hooks_;
  Journal& journal_;
  Meter meter_;
  std::atomic<bool> stop_{false};
};

/// Questions of one process's share without an answer.
struct Open {
  int64_t unanswered = 0;  // without any record
  int64_t failed = 0;
};

std::vector<Open> open_questions(const std::vector<Task>& tasks, const Records& records, int64_t world_size) {
  std::vector<Open> open(static_cast<size_t>(world_size));
  for (const Task& task : tasks) {
    for (size_t g = 0; g < task.data.groups.size(); ++g) {
      Open& share = open[g % static_cast<size_t>(world_size)];
      for (const size_t i : task.data.groups[g]) {
        const Record* record = record_of(records, task, i);
        share.unanswered += record == nullptr ? 1 : 0;
        share.failed += record != nullptr && !record->error.empty() ? 1 : 0;
      }
    }
  }
  return open;
}

}  // namespace

fs::path root_of(const Benchmark& benchmark, const fs::path& data_root, bool single) {
  for (const fs::path& candidate : {data_root / benchmark.name / "data", data_root / benchmark.name}) {
    std::error_code error;
    if (fs::is_directory(candidate, error) && !fs::is_empty(candidate, error)) return candidate;
  }
  return single ? data_root : data_root / benchmark.name;
}

Task make_task(const Benchmark& benchmark, const fs::path& root, Dataset data) {
  Task task{.benchmark = &benchmark, .root = root, .data = std::move(data), .all_items = 0, .keys = {}};
  task.all_items = task.data.items.size();
  for (const Item& item : task.data.items) task.keys.push_back(question_key(item, root));
  return task;
}

Task load_task(const Benchmark& benchmark, const fs::path& root, Defects defects,
               std::optional<int64_t> limit) {
  VL3_CHECK(fs::is_directory(root), kNotFound, "{}: no folder {} with its data; see docs/guides/eval.md",
            benchmark.name, root.string());
  Dataset data;
  try {
    data = benchmark.load(root, defects);
  } catch (const Error& error) {
    throw error.with_context("reading " + benchmark.name);
  }
  const size_t all_items = data.items.size();
  if (limit && static_cast<size_t>(*limit) < all_items) {
    data.items.resize(static_cast<size_t>(*limit));
    data = make_dataset(std::move(data.items));
  }
  VL3_CHECK(!data.items.empty(), kCorrupt, "{}: there is no question in {}", benchmark.name, root.string());
  Task task = make_task(benchmark, root, std::move(data));
  task.all_items = all_items;
  return task;
}

void answer_share(const std::vector<Task>& tasks, Answerer& answerer, const RunOptions& options,
                  const RunHooks& hooks) {
  std::error_code error;
  fs::create_directories(options.output, error);
  VL3_CHECK(fs::is_directory(options.output), kInvalidArgument,
            "{}: the folder for the results cannot be made{}{}", options.output.string(), error ? ": " : "",
            error ? error.message() : "");
  OrderedJson settings = options.settings;
  settings["answerer"] = answerer.identity();
  Journal journal(options.output, options.rank, settings);
  const Share share = share_of(tasks, options, Journal::read(options.output));
  if (share.left < share.questions && hooks.on_note)
    hooks.on_note(fmt::format("{} of {} questions are answered already", share.questions - share.left,
                              share.questions));
  Workers(share, answerer, options, hooks, journal).run();
}

Records collect(const std::vector<Task>& tasks, const RunOptions& options, const RunHooks& hooks) {
  const auto start = Clock::now();
  auto last_seen = start;
  std::set<int64_t> seen;  // processes that were at work while this one waited
  auto pause = std::chrono::milliseconds(100);
  for (bool noted = false;; noted = true) {
    bool working = false;
    for (int64_t rank = 0; rank < options.world_size; ++rank) {
      if (rank == options.rank || !Journal::at_work(options.output, rank)) continue;
      working = true;
      seen.insert(rank);
    }
    Records records = Journal::read(options.output);
    const std::vector<Open> open = open_questions(tasks, records, options.world_size);
    int64_t left = 0, again = 0;  // what was never asked; what another process may be about to ask again
    for (int64_t rank = 0; rank < options.world_size; ++rank) {
      left += open[static_cast<size_t>(rank)].unanswered;
      if (rank != options.rank && !seen.contains(rank)) again += open[static_cast<size_t>(rank)].failed;
    }
    if (seconds_since(start) >= options.retry_wait_s) again = 0;
    if (left == 0 && again == 0 && !working) return records;
    if (working) last_seen = Clock::now();
    VL3_CHECK(
        seconds_since(last_seen) < options.wait_s || left == 0, kInternal,
        "{} questions of other processes are not answered, and none of these is at work; start the same "
        "command again",
        left);
    VL3_CHECK(!hooks.cancelled || !hooks.cancelled(), kCancelled, "stopped");
    if (!noted && hooks.on_note)
      hooks.on_note(fmt::format("waiting for {} questions of other processes", left + again));
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 5 / 4, std::chrono::milliseconds(2000));
  }
}

Verdict score_answer(const Benchmark& benchmark, const Item& item, const std::string& response,
                     const Scoring& scoring) {
  try {
    return benchmark.score(item, response, scoring);
  } catch (const FatalError&) {
    throw;
  } catch (const NotJudged& error) {
    Verdict verdict = no_answer(fmt::format("not judged: {}", error.what()));
    verdict.judge_missing = true;
    return verdict;
  } catch (const Error& error) {
    return no_answer(fmt::format("cannot be scored: {}", error.what()));
  }
}

ScoredTask score_task(const Task& task, const Records& records, const Scoring& scoring,
                      const RunHooks& hooks) {
  ScoredTask result;
  result.task = &task;
  const std::vector<Item>& items = task.data.items;
  result.records.resize(items.size());
  result.verdicts.resize(items.size());
  std::mutex mutex;
  RunProgress progress{.task = task.benchmark->name + ", judged",
                       .done = 0,
                       .total = static_cast<int64_t>(items.size()),
                       .failed = 0,
                       .score = 0,
                       .left_s = std::nullopt};
  on_threads(items.size(), scoring.judge == nullptr ? 1 : scoring.judge->at_once(), [&](size_t i) {
    VL3_CHECK(!hooks.cancelled || !hooks.cancelled(), kCancelled, "stopped");
    Record& record = result.records[i];
    const Record* known = record_of(records, task, i);
    record.error = "was not asked";
    if (known != nullptr) record = *known;
    Verdict& verdict = result.verdicts[i];
    verdict = record.error.empty() ? score_answer(*task.benchmark, items[i], record.reply.text, scoring)
                                   : no_answer("no answer: " + record.error);
    const std::lock_guard lock(mutex);
    const bool missing = verdict.judge_missing;
    result.failed += record.error.empty() ? 0 : 1;
    result.cut += record.error.empty() && record.reply.finish_reason == "length" ? 1 : 0;
    result.unparsed += record.error.empty() && !verdict.failure.empty() && !missing ? 1 : 0;
    result.judge_missing += missing ? 1 : 0;
    result.not_judged += missing && scoring.judge != nullptr ? 1 : 0;
    progress.score = (progress.score * static_cast<double>(progress.done) + 100 * verdict.score) /
                     static_cast<double>(progress.done + 1);
    ++progress.done;
    if (scoring.judge != nullptr && hooks.on_progress) hooks.on_progress(progress);
  });
  std::vector<size_t> cluster(items.size());
  for (size_t g = 0; g < task.data.groups.size(); ++g) {
    for (const size_t i : task.data.groups[g]) cluster[i] = g;
  }
  for (size_t i = 0; i < items.size(); ++i)
    result.scored.push_back({&items[i], &result.verdicts[i], cluster[i]});
  return result;
}

std::vector<std::string> missing_media(const Task& task) {
  std::set<std::string> seen;
  std::vector<std::string> missing;
  const auto look = [&](const fs::path& path) {
    std::error_code error;
    if (seen.insert(path.string()).second && !fs::exists(path, error)) missing.push_back(path.string());
  };
  for (const Item& item : task.data.items) {
    for (const Medium& medium : item.media) look(medium.path);
    if (item.subtitles.kind == SubtitleSource::kInterleaved) look(item.subtitles.file);
    // Not every video has a file to be listed; without their folder none has.
    if (item.subtitles.kind == SubtitleSource::kListed) look(item.subtitles.file.parent_path());
  }
  return missing;
}

}  // namespace vl3::eval
