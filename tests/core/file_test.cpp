#include "core/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

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

// Renaming onto a link replaced the link and left the file behind it alone.
TEST(File, WritingThroughALinkKeepsTheLink) {
  namespace fs = std::filesystem;
  const TempDir dir;
  fs::create_directory(dir / "real");
  dir.write("real/old", "old");
  fs::create_symlink("real/old", dir / "link");
  fs::create_symlink("link", dir / "twice");
  fs::create_symlink("real/new", dir / "dangling");
  write_file_atomically(dir / "twice", "now");
  write_file_atomically(dir / "dangling", "made");
  for (const char* link : {"link", "twice", "dangling"}) EXPECT_TRUE(fs::is_symlink(dir / link)) << link;
  EXPECT_EQ(read_file(dir / "real/old", 10), "now");
  EXPECT_EQ(read_file(dir / "real/new", 10), "made");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "real"), fs::directory_iterator()), 2);
  fs::create_symlink("loop", dir / "loop");
  EXPECT_NE(error_of([&] { write_file_atomically(dir / "loop", "x"); }), "");
  EXPECT_TRUE(fs::is_symlink(dir / "loop"));
}

// Only links to devices are written here: what replaces its target can break no more than the link.
TEST(File, DevicesAndPipesAreWrittenToAndStay) {
  namespace fs = std::filesystem;
  const TempDir dir;
  fs::create_symlink("/dev/null", dir / "null");
  fs::create_symlink("/dev/full", dir / "full");
  write_file_atomically(dir / "null", "gone");
  EXPECT_TRUE(fs::is_symlink(dir / "null"));
  EXPECT_TRUE(error_of([&] { write_file_atomically(dir / "full", "x"); }).starts_with("limit reached"));
  EXPECT_TRUE(fs::is_character_file(fs::status(dir / "full")));
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const int reader = ::open((dir / "fifo").c_str(), O_RDONLY | O_NONBLOCK);
  write_file_atomically(dir / "fifo", "sent");
  std::string got(10, '?');
  got.resize(static_cast<size_t>(std::max<ssize_t>(::read(reader, got.data(), got.size()), 0)));
  ::close(reader);
  EXPECT_EQ(got, "sent");
  EXPECT_TRUE(fs::is_fifo(dir / "fifo"));
}

TEST(File, WritingRefusesFolders) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  EXPECT_NE(error_of([&] { AtomicFile(dir / "folder"); }).find("neither a file nor a stream"),
            std::string::npos);
  EXPECT_EQ(
      std::distance(std::filesystem::directory_iterator(dir.path()), std::filesystem::directory_iterator()),
      1);
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

TEST(AppendWhole, AddsAllOrNothing) {
  const TempDir dir;
  const std::filesystem::path path = dir.write("lines", "one\n");
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(append_whole(fd, "two\n").error, 0);
  EXPECT_EQ(read_file(path, 100), "one\ntwo\n");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{10, before.rlim_max};  // two more bytes go in
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Appended cut = append_whole(fd, "three\n");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(cut.error, ENOSPC);
  EXPECT_FALSE(cut.torn);
  EXPECT_EQ(read_file(path, 100), "one\ntwo\n");
  ::close(fd);
  EXPECT_EQ(append_whole(fd, "x").error, EBADF);
}

}  // namespace
}  // namespace vl3
