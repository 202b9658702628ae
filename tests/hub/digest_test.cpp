#include "hub/digest.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

TEST(Digest, KnownValues) {
  const test::TempDir dir;
  const auto hello = dir.write("hello", "hello\n");
  const auto empty = dir.write("empty", "");
  // As `git hash-object` and `sha256sum` give them.
  const std::string hello_git = "ce013625030ba8dba906f756967f9e9ca394464a";
  const std::string hello_sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
  EXPECT_EQ(digest_like(hello_git, hello), hello_git);
  EXPECT_EQ(digest_like(hello_sha, hello), hello_sha);
  EXPECT_EQ(digest_like(std::string(40, '0'), empty), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(digest_like(std::string(64, '0'), empty),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, OtherEtagsAreNoHashes) {
  const test::TempDir dir;
  const auto file = dir.write("f", "x");
  for (const std::string& etag :
       {std::string(32, 'a'), std::string(40, 'g'), std::string(64, 'A'), std::string("x")}) {
    EXPECT_EQ(digest_like(etag, file), "");
  }
  EXPECT_NE(test::error_of([&] { digest_like(std::string(64, 'a'), dir / "none"); }), "");
}

}  // namespace
}  // namespace vl3::hub
