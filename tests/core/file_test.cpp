#include "core/file.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3 {
namespace {

using test::error_of;
using test::TempDir;

TEST(File, AtomicWriteLeavesNothingBehindWithoutCommit) {
  const TempDir dir;
  {
    AtomicFile file(dir / "a");
    file.append("half", 4);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  write_file_atomically(dir / "a", "whole");
  EXPECT_EQ(read_file(dir / "a", 100), "whole");
}

TEST(File, ReadRefusesMissingFoldersAndLargeFiles) {
  const TempDir dir;
  dir.write("big", std::string(100, 'x'));
  EXPECT_NE(error_of([&] { read_file(dir / "none", 10); }).find("not found"), std::string::npos);
  EXPECT_NE(error_of([&] { read_file(dir.path(), 10); }).find("not a regular file"), std::string::npos);
  EXPECT_NE(error_of([&] { read_file(dir / "big", 10); }).find("the limit is 10"), std::string::npos);
  EXPECT_NE(error_of([&] { read_file("/dev/zero", 10); }).find("not a regular file"), std::string::npos);
}

TEST(File, MapsWholeAndEmptyFiles) {
  const TempDir dir;
  const MappedFile map(dir.write("m", "abc"));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map.data()), map.size()), "abc");
  EXPECT_EQ(MappedFile(dir.write("e", "")).size(), 0u);
}

}  // namespace
}  // namespace vl3
