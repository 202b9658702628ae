// One answer being made: its prompt's rows, what was generated, and how the next token is chosen. Used by the
// compute thread only, but for its making.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/prompt_rows.h"
#include "engine/request.h"
#include "engine/token_chooser.h"
#include "serve/queue/job.h"
#include "serve/queue/page_pool.h"

namespace vl3::serve {

/// The answers of one job.
struct Group {
  std::shared_ptr<Job> job;
  JobEvents events;
  JobResult result;
  std::chrono::steady_clock::time_point submitted, admitted{};
  std::optional<double> first_token_s;
  int open = 0;  ///< answers not ended
  bool prefilled = false;
  std::atomic<bool> cancelled{false};
};

class Sequence {
 public:
  Sequence(const engine::Runtime& runtime, std::shared_ptr<Group> group, int choice, engine::Request request,
           std::optional<sampling::Matcher> matcher);

  // ---- rows
  /// Starts (again) from the prompt's first row; nothing is in the cache.
  void start(engine::VisionMemory memory, std::function<void()> arrived, int64_t batch_patches);
  bool started() const { return rows_ != nullptr; }
  engine::PromptRows& rows() { return *rows_; }
  /// Rows whose input is known now: those of the prompt so far, and once that is whole, what was generated.
  int64_t known() const;
  bool prompt_whole() const { return rows_ != nullptr && rows_->whole(); }
  /// Embeddings of the next rows from `computed` on: [count, D].
  at::Tensor take(int64_t computed, int64_t count);
  /// The name of the cache page that ends before row `end`.
  PageName name_page(int64_t end, int64_t page_rows);

  // ---- the answer
  /// Chooses the next token. @param logits  [V], overwritten.
  /// @return what to tell; its finish_reason is set when the answer has ended.
  Delta sample(std::span<float> logits);
  /// Ends the answer from outside.
  Delta finish(sampling::FinishReason reason);
  int64_t generated() const { return static_cast<int64_t>(generated_.size()); }

  std::shared_ptr<Group> group;
  const int choice;
  engine::Request request;
  bool matching = true;  ///< every row so far was found in the cache
  int64_t cached_rows = 0;
  int64_t published = 0;  ///< pages that were found in the cache, or can be found there now
  double prefill_seconds = 0;

  /// Gives up what takes time to destroy: a running decoder is waited for.
  std::unique_ptr<engine::PromptRows> release_rows() { return std::move(rows_); }

 private:
  const engine::Runtime& runtime_;
  std::unique_ptr<engine::PromptRows> rows_;
  std::vector<PageName> names_;
  std::vector<std::string> medium_digests_;
  std::vector<int64_t> generated_;
  engine::TokenChooser chooser_;
  bool prompt_accepted_ = false;
};

}  // namespace vl3::serve
