#include "serve/queue/page_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace vl3::serve {
namespace {

PageName name(unsigned char c) {
  PageName out{};
  out[0] = c;
  return out;
}

TEST(PagePool, GivesEveryPageOnceAndThenNone) {
  PagePool pool(3);
  std::set<int32_t> pages;
  for (int i = 0; i < 3; ++i) pages.insert(pool.allocate().value());
  EXPECT_EQ(pages.size(), 3u);
  EXPECT_FALSE(pool.allocate());
  EXPECT_EQ(pool.available(), 0);
  pool.release(*pages.begin());
  EXPECT_EQ(pool.allocate(), *pages.begin());
}

TEST(PagePool, FindsWhatWasPublishedAlsoAfterItsHolderLeft) {
  PagePool pool(2);
  const int32_t page = *pool.allocate();
  EXPECT_FALSE(pool.find(name(1)));
  pool.publish(page, name(1));
  pool.release(page);
  EXPECT_EQ(pool.held(), 0);
  EXPECT_EQ(pool.cached(), 1);
  EXPECT_EQ(pool.find(name(1)), page);
  EXPECT_EQ(pool.held(), 1);
}

TEST(PagePool, TakesUnheldPagesLeastRecentlyUsedFirst) {
  PagePool pool(2);
  const int32_t a = *pool.allocate(), b = *pool.allocate();
  pool.publish(a, name(1));
  pool.publish(b, name(2));
  pool.release(b);
  pool.release(a);  // b has rested longer
  EXPECT_EQ(pool.allocate(), b);
  EXPECT_FALSE(pool.find(name(2)));
  EXPECT_EQ(pool.find(name(1)), a);
}

TEST(PagePool, AHeldPageIsNeverTaken) {
  PagePool pool(1);
  const int32_t page = *pool.allocate();
  pool.publish(page, name(1));
  pool.find(name(1));
  pool.release(page);  // one of two holders
  EXPECT_FALSE(pool.allocate());
  pool.release(page);
  EXPECT_EQ(pool.allocate(), page);
  EXPECT_FALSE(pool.find(name(1)));
}

TEST(PagePool, TheFirstPageOfANameStays) {
  PagePool pool(2);
  const int32_t a = *pool.allocate(), b = *pool.allocate();
  pool.publish(a, name(1));
  pool.publish(b, name(1));
  pool.release(b);  // nameless: free at once
  EXPECT_EQ(pool.cached(), 0);
  EXPECT_EQ(pool.find(name(1)), a);
}

}  // namespace
}  // namespace vl3::serve
