// A backend without a model: answers with the words it was given, one token each, from a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "serve/queue/backend.h"

namespace vl3::test {

class ScriptedBackend : public serve::Backend {
 public:
  ~ScriptedBackend() override;

  void submit(std::shared_ptr<serve::Job> job, serve::JobEvents events) override;
  void cancel(const std::string& id) override;
  Plan plan(serve::Job& job, bool measure_pruning) override;
  std::vector<int64_t> tokenize(const serve::Job& job) override;
  std::string detokenize(const std::vector<int64_t>& ids) override;
  std::string token_text(int64_t id) override;
  const serve::ModelInfo& model() const override { return info; }
  serve::EngineStats stats() const override { return {}; }

  std::vector<std::string> words = {"one ", "two ", "three"};
  double seconds_a_word = 0;
  bool endless = false;                                  ///< goes on until cancelled
  std::optional<Error> refuses;                          ///< thrown by submit()
  std::function<void(const serve::Job& job)> preparing;  ///< called in submit(), before the job exists
  std::optional<Error> fails_after;                      ///< ends the answer after its first word
  serve::ModelInfo info;
  std::atomic<int> cancelled{0}, submitted{0};
  serve::Job last;  ///< guarded by mutex
  std::mutex mutex;

 private:
  void answer(const std::shared_ptr<serve::Job>& job, const serve::JobEvents& events);
  std::set<std::string> gone_;
  std::vector<std::thread> threads_;
};

}  // namespace vl3::test
