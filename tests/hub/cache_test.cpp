#include "hub/cache.h"

#include <gtest/gtest.h>
#include <sys/file.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/file.h"
#include "hub/hub.h"
#include "hub/scoped_variables.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;

const std::string kCommit(40, 'c');

TEST(Cache, LinksAreRelativeAtEveryDepthAndReplaced) {
  const TempDir dir;
  const CachedRepo repo(dir.path(), "org/name");
  repo.make_folders();
  dir.write("models--org--name/blobs/e1", "one");
  dir.write("models--org--name/blobs/e2", "two");
  repo.link(kCommit, "a.json", "e1");
  repo.link(kCommit, "x/y/b.json", "e1");
  const fs::path snapshot = dir / ("models--org--name/snapshots/" + kCommit);
  EXPECT_EQ(fs::read_symlink(snapshot / "a.json"), "../../blobs/e1");
  EXPECT_EQ(fs::read_symlink(snapshot / "x/y/b.json"), "../../../../blobs/e1");
  EXPECT_EQ(read_file(snapshot / "x/y/b.json", 10), "one");
  repo.link(kCommit, "a.json", "e2");
  repo.link(kCommit, "a.json", "e2");
  EXPECT_EQ(read_file(snapshot / "a.json", 10), "two");
  EXPECT_NE(error_of([&] { repo.link(kCommit, "a.json/b", "e1"); }).find("cannot be made"),
            std::string::npos);
  for (const auto& entry : fs::directory_iterator(snapshot)) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos);
  }
}

TEST(Cache, FindsByBranchTagAndCommit) {
  const TempDir dir;
  const std::string root = "models--org--name/";
  dir.write(root + "snapshots/" + kCommit + "/config.json", "{}");
  dir.write(root + "refs/main", kCommit);
  dir.write(root + "refs/refs/pr/1", kCommit + "\n");
  const fs::path snapshot = dir / (root + "snapshots/" + kCommit);
  EXPECT_EQ(find_cached("org/name", "main", dir.path()), snapshot);
  EXPECT_EQ(find_cached("org/name", "refs/pr/1", dir.path()), snapshot);
  EXPECT_EQ(find_cached("org/name", kCommit, dir.path()), snapshot);
  test::ScopedVariables variables;
  variables.set("HF_HUB_CACHE", dir.path().string());
  EXPECT_EQ(find_cached("org/name"), snapshot);
}

TEST(Cache, WhatIsMissingNamesTheCommand) {
  const TempDir dir;
  const std::string error = error_of([&] { find_cached("org/name", "main", dir.path()); });
  EXPECT_TRUE(error.starts_with("not found: org/name")) << error;
  EXPECT_TRUE(error.ends_with("vl3 pull org/name")) << error;
  EXPECT_TRUE(error_of([&] {
                find_cached("org/name", "v2", dir.path());
              }).ends_with("vl3 pull org/name --revision v2"));
  EXPECT_NE(error_of([&] { find_cached("org", "main", dir.path()); }).find("ORG/NAME"), std::string::npos);
  EXPECT_NE(error_of([&] { find_cached("org/../x", "main", dir.path()); }).find("ORG/NAME"),
            std::string::npos);
  EXPECT_NE(error_of([&] { find_cached("org/name", "../main", dir.path()); }).find("revision"),
            std::string::npos);
  // A reference without its snapshot, and one that holds something else.
  dir.write("models--org--name/refs/main", kCommit);
  EXPECT_NE(error_of([&] { find_cached("org/name", "main", dir.path()); }).find("not found"),
            std::string::npos);
  dir.write("models--org--name/refs/main", "../../../etc");
  EXPECT_NE(error_of([&] { find_cached("org/name", "main", dir.path()); }).find("not a commit"),
            std::string::npos);
}

// What was pulled at another revision could not be named, and the error did not tell of it.
TEST(Cache, WhatIsMissingNamesTheRevisionsThatAreThere) {
  const TempDir dir;
  const std::string root = "models--org--name/", other(40, 'd'), nameless(40, 'e');
  for (const std::string& commit : {kCommit, other, nameless})
    dir.write(root + "snapshots/" + commit + "/config.json", "{}");
  dir.write(root + "refs/v1", kCommit);
  dir.write(root + "refs/refs/pr/2", other);
  dir.write(root + "refs/broken", "no commit");
  dir.write(root + "refs/gone", std::string(40, 'f'));
  const std::string error = error_of([&] { find_cached("org/name", "main", dir.path()); });
  EXPECT_NE(
      error.find("take org/name@refs/pr/2 (there are: refs/pr/2, v1, " + nameless + "), or get it with"),
      std::string::npos)
      << error;
  EXPECT_TRUE(error.ends_with("vl3 pull org/name")) << error;
}

TEST(Cache, LockKeepsOthersOutUntilItsEnd) {
  const TempDir dir;
  const fs::path path = dir / "x.lock";
  {
    const BlobLock held(path, 1);
    EXPECT_NE(error_of([&] { const BlobLock second(path, 0.1); }).find("another program"), std::string::npos);
  }
  EXPECT_EQ(error_of([&] { const BlobLock again(path, 0.1); }), "");
}

TEST(Cache, LockFileDeletedByItsHolderIsMadeAgain) {
  const TempDir dir;
  const fs::path path = dir / "x.lock";
  auto held = std::make_unique<BlobLock>(path, 1);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    fs::remove(path);
    held.reset();
  });
  const BlobLock mine(path, 10);
  other.join();
  EXPECT_NE(error_of([&] { const BlobLock second(path, 0.1); }),
            "");  // the lock is on the file that has the name
}

}  // namespace
}  // namespace vl3::hub
