// Which sequences run in the next step of the batch, and with how many rows. Every step decodes one row of
// each sequence that generates, and fills the rest of a fixed number of rows with pieces of prompts, taking
// turns: a long prompt stops nobody for more than one piece. When pages run out, the sequence that came last
// (or matters least) is set back and starts again later. Knows numbers only; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "serve/queue/page_pool.h"

namespace vl3::serve {

struct SchedulerOptions {
  int64_t max_sequences = 64;  ///< run at once
  int64_t step_rows = 512;     ///< of a step, unless more sequences than that decode
  int64_t page_rows = 64;
};

/// What the scheduler has to know of a sequence. The engine writes ready and generating, and moves computed
/// on after a step.
struct Slot {
  uint64_t id = 0;
  int priority = 0;         ///< smaller first
  int64_t computed = 0;     ///< rows whose keys and values are in pages
  int64_t ready = 0;        ///< rows whose input is known; never less than computed
  bool generating = false;  ///< the prompt is done: one row at a time
  std::vector<int32_t> pages;
};

class Scheduler {
 public:
  Scheduler(SchedulerOptions options, PagePool& pool) : options_(options), pool_(pool) {}

  void add(uint64_t id, int priority);
  /// Releases its pages.
  void remove(uint64_t id);
  Slot& slot(uint64_t id);

  struct Work {
    uint64_t id;
    int64_t rows;
  };
  struct Step {
    std::vector<Work> work;          ///< generating sequences first
    std::vector<uint64_t> admitted;  ///< run from now on; their prompts may be prepared
    std::vector<uint64_t> set_back;  ///< lost their pages: computed is 0, they wait again
    std::vector<uint64_t> too_long;  ///< alone in the cache and still short of pages: cannot go on
  };
  Step next();

  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  uint64_t preemptions() const { return preemptions_; }
  /// Sequences that run, in the order of their turn.
  std::vector<uint64_t> running_ids() const;

 private:
  using Order = std::pair<int, uint64_t>;  // priority, then arrival
  enum class Room { kGot, kSetBackItself, kNone };

  Order order_of(const Slot& slot) const { return {slot.priority, slot.id}; }
  /// Pages for `rows` more rows of the slot, taken from later sequences where need be.
  Room make_room(Slot& slot, int64_t rows, Step& step);
  void set_back(Slot& slot, Step& step);

  SchedulerOptions options_;
  PagePool& pool_;
  std::map<uint64_t, Slot> slots_;
  std::map<Order, uint64_t> running_, waiting_;
  uint64_t last_prefilled_ = 0;
  uint64_t preemptions_ = 0;
};

}  // namespace vl3::serve
