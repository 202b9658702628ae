#include "weights/staged_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_dir.h"

namespace vl3::weights {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

TEST(StagedFolder, AppearsOnCommitAndVanishesWithoutIt) {
  const TempDir dir;
  {
    const StagedFolder folder(dir / "out");
    std::ofstream(folder.path() / "half") << "x";
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
  StagedFolder folder(dir / "out/");  // a final slash names the same folder
  std::ofstream(folder.path() / "whole") << "x";
  EXPECT_FALSE(fs::exists(dir / "out"));
  folder.commit();
  EXPECT_TRUE(fs::exists(dir / "out/whole"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(StagedFolder, TakesAnEmptyFolderAndRefusesTheRest) {
  const TempDir dir;
  fs::create_directory(dir / "empty");
  StagedFolder folder(dir / "empty");
  folder.commit();
  dir.write("full/file", "x");
  dir.write("plain", "x");
  fs::create_directory_symlink(dir / "empty", dir / "link");
  const auto error = [](const fs::path& path) { return error_of([&] { StagedFolder{path}; }); };
  EXPECT_NE(error(dir / "full").find("is not empty"), std::string::npos);
  EXPECT_NE(error(dir / "plain").find("is not a folder"), std::string::npos);
  EXPECT_NE(error(dir / "link").find("is not a folder"), std::string::npos);
  EXPECT_NE(error(dir / "no/such/parent").find("cannot be made"), std::string::npos);
  EXPECT_NE(error("").find("not the name of a folder"), std::string::npos);
  EXPECT_NE(error("..").find("not the name of a folder"), std::string::npos);
}

TEST(StagedFolder, DoesNotReplaceWhatSomebodyElseFilledMeanwhile) {
  const TempDir dir;
  StagedFolder folder(dir / "out");
  dir.write("out/theirs", "x");
  EXPECT_NE(error_of([&] { folder.commit(); }).find("cannot be put in place"), std::string::npos);
  EXPECT_TRUE(fs::exists(dir / "out/theirs"));
}

}  // namespace
}  // namespace vl3::weights
