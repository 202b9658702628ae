#include "serve/queue/page_pool.h"

#include "core/check.h"

namespace vl3::serve {

PagePool::PagePool(int32_t pages) : pages_(static_cast<size_t>(pages)) {
  for (int32_t page = pages; page-- > 0;) free_.push_back(page);
}

std::optional<int32_t> PagePool::allocate() {
  int32_t number;
  if (!free_.empty()) {
    number = free_.back();
    free_.pop_back();
  } else if (!unheld_.empty()) {
    number = unheld_.back();
    unheld_.pop_back();
    Page& page = pages_[static_cast<size_t>(number)];
    by_name_.erase(*page.name);
    page.name.reset();
  } else {
    return std::nullopt;
  }
  pages_[static_cast<size_t>(number)].holders = 1;
  ++held_;
  return number;
}

std::optional<int32_t> PagePool::find(const PageName& name) {
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) return std::nullopt;
  Page& page = pages_[static_cast<size_t>(it->second)];
  if (page.holders++ == 0) {
    unheld_.erase(page.place);
    ++held_;
  }
  return it->second;
}

void PagePool::publish(int32_t number, const PageName& name) {
  Page& page = pages_[static_cast<size_t>(number)];
  VL3_DCHECK(page.holders > 0 && !page.name);
  if (by_name_.emplace(name, number).second) page.name = name;
}

void PagePool::release(int32_t number) {
  Page& page = pages_[static_cast<size_t>(number)];
  VL3_DCHECK(page.holders > 0);
  if (--page.holders > 0) return;
  --held_;
  if (page.name) {
    unheld_.push_front(number);
    page.place = unheld_.begin();
  } else {
    free_.push_back(number);
  }
}

}  // namespace vl3::serve
