// Who holds which page of the KV cache. A full page may carry a name, made of everything up to its last row;
// equal names mean equal content, so a later request with the same beginning takes the page over. Pages
// nobody holds stay findable until they are needed, least recently used first. Knows numbers only; one
// thread.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "core/digest.h"

namespace vl3::serve {

/// A SHA-256.
using PageName = Sha256Bytes;

class PagePool {
 public:
  explicit PagePool(int32_t pages);

  /// A page with one holder; nullopt when every page is held.
  std::optional<int32_t> allocate();
  /// One more holder of the page with this name.
  std::optional<int32_t> find(const PageName& name);
  /// Makes a held page findable. Where another page has the name already, nothing changes.
  void publish(int32_t page, const PageName& name);
  /// One holder less.
  void release(int32_t page);

  int32_t total() const { return static_cast<int32_t>(pages_.size()); }
  int32_t held() const { return held_; }
  int32_t available() const { return total() - held_; }
  int32_t cached() const { return static_cast<int32_t>(unheld_.size()); }

 private:
  struct Page {
    int32_t holders = 0;
    std::optional<PageName> name;
    std::list<int32_t>::iterator place;  // in unheld_, while named and without holders
  };
  std::vector<Page> pages_;
  std::vector<int32_t> free_;  // nameless
  std::list<int32_t> unheld_;  // named, most recently used first
  std::map<PageName, int32_t> by_name_;
  int32_t held_ = 0;
};

}  // namespace vl3::serve
