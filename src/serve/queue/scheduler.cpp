#include "serve/queue/scheduler.h"

#include <algorithm>

#include "core/check.h"

namespace vl3::serve {

void Scheduler::add(uint64_t id, int priority) {
  Slot& slot = slots_[id];
  slot.id = id;
  slot.priority = priority;
  waiting_.emplace(order_of(slot), id);
}

void Scheduler::remove(uint64_t id) {
  const auto it = slots_.find(id);
  VL3_DCHECK(it != slots_.end());
  for (const int32_t page : it->second.pages) pool_.release(page);
  running_.erase(order_of(it->second));
  waiting_.erase(order_of(it->second));
  slots_.erase(it);
}

Slot& Scheduler::slot(uint64_t id) { return slots_.at(id); }

std::vector<uint64_t> Scheduler::running_ids() const {
  std::vector<uint64_t> ids;
  for (const auto& [order, id] : running_) ids.push_back(id);
  return ids;
}

void Scheduler::set_back(Slot& slot, Step& step) {
  for (const int32_t page : slot.pages) pool_.release(page);
  slot.pages.clear();
  slot.computed = 0;
  slot.ready = 0;
  slot.generating = false;
  running_.erase(order_of(slot));
  waiting_.emplace(order_of(slot), slot.id);
  step.set_back.push_back(slot.id);
  ++preemptions_;
}

Scheduler::Room Scheduler::make_room(Slot& slot, int64_t rows, Step& step) {
  const auto wanted =
      static_cast<size_t>((slot.computed + rows + options_.page_rows - 1) / options_.page_rows);
  while (slot.pages.size() < wanted) {
    if (const auto page = pool_.allocate()) {
      slot.pages.push_back(*page);
      continue;
    }
    Slot* last = nullptr;  // of those with pages
    for (auto it = running_.rbegin(); it != running_.rend() && last == nullptr; ++it) {
      Slot& other = slots_.at(it->second);
      const bool planned = std::any_of(step.work.begin(), step.work.end(),
                                       [&](const Work& work) { return work.id == other.id; });
      if (!other.pages.empty() && !planned && order_of(other) >= order_of(slot)) last = &other;
    }
    if (last == nullptr) return Room::kNone;
    if (last == &slot) {
      const bool alone = std::none_of(slots_.begin(), slots_.end(), [&](const auto& item) {
        return item.second.id != slot.id && !item.second.pages.empty();
      });
      if (alone) return Room::kNone;
      set_back(slot, step);
      return Room::kSetBackItself;
    }
    set_back(*last, step);
  }
  return Room::kGot;
}

Scheduler::Step Scheduler::next() {
  Step step;
  const auto alone = [&](uint64_t id) {
    return std::none_of(slots_.begin(), slots_.end(),
                        [&](const auto& item) { return item.first != id && !item.second.pages.empty(); });
  };
  int64_t rows = 0;
  for (const uint64_t id : running_ids()) {
    Slot& slot = slots_.at(id);
    const bool runs = running_.contains(order_of(slot));  // not set back meanwhile
    if (!runs || !slot.generating || slot.ready <= slot.computed) continue;
    const Room room = make_room(slot, 1, step);
    if (room == Room::kGot) {
      step.work.push_back({id, 1});
      ++rows;
    } else if (room == Room::kNone && alone(id)) {
      step.too_long.push_back(id);
    }
  }
  // A place that a sequence was just driven from is not given to one that waits: they would take turns at it.
  while (step.set_back.empty() && !waiting_.empty() && running() < options_.max_sequences &&
         pool_.available() > 0) {
    const auto [order, id] = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    running_.emplace(order, id);
    step.admitted.push_back(id);
  }
  std::vector<uint64_t> prompts;
  for (const uint64_t id : running_ids()) {
    const Slot& slot = slots_.at(id);
    if (!slot.generating && slot.ready > slot.computed) prompts.push_back(id);
  }
  std::sort(prompts.begin(), prompts.end());
  const auto after_last = std::upper_bound(prompts.begin(), prompts.end(), last_prefilled_);
  std::rotate(prompts.begin(), after_last, prompts.end());
  std::stable_sort(prompts.begin(), prompts.end(),
                   [&](uint64_t a, uint64_t b) { return slots_.at(a).priority < slots_.at(b).priority; });
  int64_t budget = std::max<int64_t>(options_.step_rows - rows, options_.page_rows);
  for (const uint64_t id : prompts) {
    if (budget <= 0) break;
    Slot& slot = slots_.at(id);
    if (!running_.contains(order_of(slot))) continue;
    const int64_t piece = std::min(budget, slot.ready - slot.computed);
    const Room room = make_room(slot, piece, step);
    if (room == Room::kGot) {
      step.work.push_back({id, piece});
      budget -= piece;
      last_prefilled_ = id;
    } else if (room == Room::kNone && alone(id)) {
      step.too_long.push_back(id);
    }
  }
  return step;
}

}  // namespace vl3::serve
