// Interruptions: cut connections, servers that fail for a while, runs that were stopped, several at once.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "core/file.h"
#include "hub/cache.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FakeHub;
using test::TempDir;

constexpr const char* kFile = "m.safetensors";

struct OneFile {
  explicit OneFile(size_t size = 400000) {
    hub.files[kFile] = {.content = test::noise(size, 7), .large = true};
    blob = cache / ("models--org--name/blobs/" + hub.files[kFile].real_etag());
    incomplete = blob.string() + ".incomplete";
  }
  PullResult run() { return pull(FakeHub::kRepo, "main", hub.options(cache.path())); }
  void expect_whole() const {
    EXPECT_EQ(read_file(blob, 1 << 24), hub.files.at(kFile).content);
    EXPECT_FALSE(fs::exists(incomplete));
  }
  void leave(const std::string& bytes) const {
    cache.write(fs::relative(incomplete, cache.path()).string(), bytes);
  }
  const std::string& content() const { return hub.files.at(kFile).content; }

  FakeHub hub;
  TempDir cache;
  fs::path blob;
  fs::path incomplete;
};

TEST(PullResume, GoesOnAfterCutConnections) {
  OneFile one;
  one.hub.cuts = {100000, 0, 50000};
  one.hub.start();
  one.run();
  one.expect_whole();
  EXPECT_EQ(one.hub.storage_ranges,
            (std::vector<std::string>{"", "bytes=100000-", "bytes=100000-", "bytes=150000-"}));
  EXPECT_EQ(one.hub.bytes_sent, one.content().size());  // no byte twice
}

TEST(PullResume, AServerWithoutRangesStartsAgain) {
  OneFile one;
  one.hub.cuts = {100000};
  one.hub.ranges = false;
  one.hub.start();
  one.run();
  one.expect_whole();
  EXPECT_EQ(one.hub.bytes_sent, one.content().size() + 100000);
}

TEST(PullResume, GivesUpAfterTheAttemptsAndKeepsWhatCame) {
  OneFile one;
  one.hub.cuts = std::deque<size_t>(20, 1000);
  one.hub.start();
  const std::string error = error_of([&] { one.run(); });
  EXPECT_NE(error.find("broke off"), std::string::npos) << error;
  EXPECT_EQ(error.find("s3cr3t"), std::string::npos) << error;
  EXPECT_EQ(one.hub.storage_gets, 5);
  EXPECT_EQ(fs::file_size(one.incomplete), 5000u);
  EXPECT_FALSE(fs::exists(one.blob));
  EXPECT_FALSE(fs::exists(one.cache / "models--org--name/snapshots"));
  EXPECT_FALSE(fs::exists(one.cache / "models--org--name/refs"));
  one.hub.cuts.clear();
  EXPECT_EQ(one.run().downloaded_bytes, one.content().size() - 5000);
  one.expect_whole();
}

TEST(PullResume, AttemptsThatGetFarDoNotCount) {
  OneFile one(9 << 20);
  one.hub.cuts = std::deque<size_t>(7, (1 << 20) + 5000);
  one.hub.start();
  one.run();
  one.expect_whole();
  EXPECT_EQ(one.hub.storage_gets, 8);
}

TEST(PullResume, AServerThatAlwaysBreaksOffAtTheSamePlaceDoesNotKeepUsForEver) {
  OneFile one(4 << 20);
  one.hub.cuts = std::deque<size_t>(1000, 3 << 20);
  one.hub.ranges = false;
  one.hub.start();
  EXPECT_NE(error_of([&] { one.run(); }), "");
  EXPECT_LT(one.hub.storage_gets, 12);
}

TEST(PullResume, FailuresOfTheHubAreWaitedOut) {
  OneFile one;
  one.hub.failures = 3;
  one.hub.start();
  one.run();
  one.expect_whole();
  one.hub.failures = 100;
  const std::string error = error_of([&] { one.run(); });
  EXPECT_NE(error.find("status 503"), std::string::npos) << error;
  EXPECT_EQ(one.hub.failures, 95);
}

TEST(PullResume, ARunStoppedHalfWayIsContinued) {
  OneFile one(3 << 20);
  one.hub.start();
  PullOptions options = one.hub.options(one.cache.path());
  options.on_progress = [](const Progress& progress) {
    if (progress.done_bytes > 1 << 20) VL3_FAIL(kCancelled, "stopped");
  };
  EXPECT_EQ(error_of([&] { pull(FakeHub::kRepo, "main", options); }), "cancelled: pulling org/name: stopped");
  const uint64_t have = fs::file_size(one.incomplete);
  EXPECT_GT(have, 1u << 20);
  EXPECT_FALSE(fs::exists(one.blob));
  EXPECT_EQ(one.run().downloaded_bytes, one.content().size() - have);
  one.expect_whole();
}

TEST(PullResume, WholeButUncheckedBytesAreOnlyChecked) {
  OneFile one;
  one.hub.start();
  one.leave(one.content());
  EXPECT_EQ(one.run().downloaded_bytes, 0u);
  EXPECT_EQ(one.hub.storage_gets, 0);
  one.expect_whole();
}

TEST(PullResume, LeftoversThatDoNotFitAreThrownAway) {
  for (const std::string& junk :
       {std::string(1000, 'j'), std::string(400000, 'j'), std::string(500000, 'j')}) {
    OneFile one;
    one.hub.start();
    one.leave(junk);
    one.run();
    one.expect_whole();
  }
}

TEST(PullResume, AWrongHashIsAnErrorAndLeavesNothing) {
  for (const std::string& etag : {std::string(64, 'd'), std::string(40, 'd')}) {
    OneFile one;
    one.hub.files[kFile].etag = etag;
    one.hub.start();
    const std::string error = error_of([&] { one.run(); });
    EXPECT_TRUE(error.starts_with("corrupt")) << error;
    EXPECT_NE(error.find("the hub names " + etag), std::string::npos) << error;
    EXPECT_TRUE(fs::is_empty(one.cache / "models--org--name/blobs"));
    EXPECT_FALSE(fs::exists(one.cache / "models--org--name/snapshots"));
    EXPECT_EQ(one.hub.storage_gets, 1);
  }
}

TEST(PullResume, AWrongHashAfterResumingIsTriedOnceFromTheStart) {
  OneFile one;
  one.hub.files[kFile].etag = std::string(64, 'd');
  one.hub.cuts = {1000, 399000, 1000, 399000, 1000};
  one.hub.start();
  EXPECT_NE(error_of([&] { one.run(); }).find("the hub names dddd"), std::string::npos);
  EXPECT_LE(one.hub.storage_gets, 4);
  EXPECT_TRUE(fs::is_empty(one.cache / "models--org--name/blobs"));
}

TEST(PullResume, SeveralAtOnceDownloadOnce) {
  OneFile one(4 << 20);
  one.hub.start();
  std::vector<std::thread> threads;
  std::atomic<uint64_t> downloaded{0};
  std::atomic<int> failed{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      try {
        downloaded += one.run().downloaded_bytes;
      } catch (const Error&) {
        ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(downloaded, one.content().size());
  one.expect_whole();
}

TEST(PullResume, WaitingForAnotherProgramHasAnEnd) {
  OneFile one;
  one.hub.start();
  const CachedRepo repo(one.cache.path(), FakeHub::kRepo);
  repo.make_folders();
  const BlobLock held(repo.lock(one.hub.files[kFile].real_etag()), 1);
  PullOptions options = one.hub.options(one.cache.path());
  options.lock_timeout_s = 0.2;
  EXPECT_NE(error_of([&] { pull(FakeHub::kRepo, "main", options); }).find("another program"),
            std::string::npos);
}

TEST(PullResume, AFullDiskKeepsWhatFits) {
  OneFile one;
  one.hub.start();
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);  // writing past it fails as on a full disk
  const std::string error = error_of([&] { one.run(); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(error.starts_with("limit reached")) << error;
  EXPECT_NE(error.find("make room"), std::string::npos) << error;
  EXPECT_EQ(fs::file_size(one.incomplete), 100000u);
  EXPECT_EQ(one.run().downloaded_bytes, one.content().size() - 100000);
  one.expect_whole();
}

}  // namespace
}  // namespace vl3::hub
