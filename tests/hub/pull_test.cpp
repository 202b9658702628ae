#include <gtest/gtest.h>

#include <filesystem>

#include "core/file.h"
#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "hub/scoped_variables.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FakeHub;
using test::TempDir;

TEST(Pull, BringsWhatACheckpointNeedsInTheUsualLayout) {
  FakeHub hub;
  test::fill(hub);
  hub.start();
  const TempDir cache;
  const PullResult result = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  EXPECT_EQ(result.commit, hub.commit);
  EXPECT_EQ(result.snapshot, cache / ("models--org--name/snapshots/" + hub.commit));
  EXPECT_EQ(result.files,
            (std::vector<std::string>{"chat template.jinja", "config.json", "extra/deep/notes.txt",
                                      "model-00001-of-00001.safetensors"}));
  uint64_t bytes = 0;
  for (const std::string& name : result.files) {
    const test::FakeFile& file = hub.files[name];
    EXPECT_EQ(read_file(result.snapshot / name, 1 << 20), file.content) << name;
    EXPECT_TRUE(fs::is_symlink(result.snapshot / name));
    EXPECT_EQ(fs::read_symlink(result.snapshot / name).filename(), file.real_etag());
    bytes += file.content.size();
  }
  EXPECT_EQ(result.downloaded_bytes, bytes);
  EXPECT_EQ(read_file(cache / "models--org--name/refs/main", 100), hub.commit);
  EXPECT_EQ(std::distance(fs::directory_iterator(cache / "models--org--name/blobs"), {}),
            4);  // nothing half left
  EXPECT_EQ(find_cached(FakeHub::kRepo, "main", cache.path()), result.snapshot);
}

TEST(Pull, ASecondTimeFetchesNothing) {
  FakeHub hub;
  test::fill(hub);
  hub.start();
  const TempDir cache;
  pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  const uint64_t sent = hub.bytes_sent;
  const PullResult again = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  EXPECT_EQ(again.downloaded_bytes, 0u);
  EXPECT_EQ(hub.bytes_sent, sent);
  EXPECT_EQ(again.files.size(), 4u);
}

TEST(Pull, EmptyFilesAreFilesToo) {
  FakeHub hub;
  hub.files["empty.txt"] = {.content = ""};
  hub.files["empty.safetensors"] = {.content = "", .large = true};
  hub.start();
  const TempDir cache;
  const PullResult result = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  for (const std::string& name : result.files) EXPECT_EQ(read_file(result.snapshot / name, 10), "") << name;
  EXPECT_EQ(result.files.size(), 2u);
  EXPECT_EQ(std::distance(fs::directory_iterator(cache / "models--org--name/blobs"), {}), 2);
}

TEST(Pull, ABlobOfTheWrongSizeIsFetchedAgain) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.start();
  const TempDir cache;
  cache.write("models--org--name/blobs/" + hub.files["config.json"].real_etag(), "tampered");
  const PullResult result = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  EXPECT_EQ(read_file(result.snapshot / "config.json", 100), "{}");
}

TEST(Pull, ANewCommitKeepsTheOldSnapshotAndSharesBlobs) {
  FakeHub hub;
  test::fill(hub);
  hub.start();
  const TempDir cache;
  const PullResult old = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  hub.commit = std::string(40, 'b');
  hub.files["config.json"].content = R"({"model_type": "y"})";
  const PullResult fresh = pull(FakeHub::kRepo, "main", hub.options(cache.path()));
  EXPECT_EQ(fresh.downloaded_bytes, hub.files["config.json"].content.size());
  EXPECT_EQ(read_file(old.snapshot / "config.json", 100), R"({"model_type": "x"})");
  EXPECT_EQ(read_file(fresh.snapshot / "config.json", 100), R"({"model_type": "y"})");
  EXPECT_EQ(find_cached(FakeHub::kRepo, "main", cache.path()), fresh.snapshot);
}

TEST(Pull, RevisionsByTagPullRequestAndCommit) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.start();
  const TempDir cache;
  for (const std::string& revision : {std::string("v1.0"), std::string("refs/pr/1"), hub.commit}) {
    const PullResult result = pull(FakeHub::kRepo, revision, hub.options(cache.path()));
    EXPECT_EQ(find_cached(FakeHub::kRepo, revision, cache.path()), result.snapshot) << revision;
  }
  // Escaped on the wire; the server shows it decoded.
  EXPECT_EQ(hub.asked.at(3), "GET /api/models/org/name/revision/refs/pr/1");
  EXPECT_TRUE(fs::exists(cache / "models--org--name/refs/refs/pr/1"));
  EXPECT_FALSE(fs::exists(cache / ("models--org--name/refs/" + hub.commit)));
  const std::string error = error_of([&] { pull(FakeHub::kRepo, "nope", hub.options(cache.path())); });
  EXPECT_TRUE(error.starts_with("not found: pulling org/name: ")) << error;
  EXPECT_NE(error.find("check the name and the revision"), std::string::npos) << error;
}

TEST(Pull, FiltersChoose) {
  FakeHub hub;
  test::fill(hub);
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  options.include = {"*"};
  options.exclude = {"*.safetensors", "extra/*"};
  EXPECT_EQ(pull(FakeHub::kRepo, "main", options).files,
            (std::vector<std::string>{"README.md", "chat template.jinja", "config.json", "picture.png",
                                      "pytorch_model.bin"}));
  options.include = {"*.gguf"};
  EXPECT_NE(error_of([&] { pull(FakeHub::kRepo, "main", options); }).find("none of the 7 files"),
            std::string::npos);
}

TEST(Pull, ProgressGrowsToTheWhole) {
  FakeHub hub;
  hub.files["m.safetensors"] = {.content = test::noise(3 << 20, 5), .large = true};
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  std::vector<Progress> seen;
  options.on_progress = [&](const Progress& progress) { seen.push_back(progress); };
  pull(FakeHub::kRepo, "main", options);
  ASSERT_GE(seen.size(), 3u);
  EXPECT_EQ(seen.front().done_bytes, 0u);
  EXPECT_EQ(seen.back().done_bytes, 3u << 20);
  for (size_t i = 1; i < seen.size(); ++i) EXPECT_GE(seen[i].done_bytes, seen[i - 1].done_bytes);
  for (const Progress& progress : seen) EXPECT_EQ(progress.total_bytes, 3u << 20);
  seen.clear();
  pull(FakeHub::kRepo, "main", options);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].done_bytes, seen[0].total_bytes);
}

TEST(Pull, TokenGoesToTheHubAndNotToTheStorage) {
  FakeHub hub;
  test::fill(hub);
  hub.token = "hf_secret";
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  const std::string without = error_of([&] { pull(FakeHub::kRepo, "main", options); });
  EXPECT_TRUE(without.starts_with("invalid argument")) << without;
  EXPECT_NE(without.find("set HF_TOKEN"), std::string::npos) << without;
  options.token = "hf_wrong";
  const std::string wrong = error_of([&] { pull(FakeHub::kRepo, "main", options); });
  EXPECT_NE(wrong.find("token is not accepted"), std::string::npos) << wrong;
  EXPECT_EQ(wrong.find("hf_wrong"), std::string::npos) << wrong;
  options.token = "hf_secret";
  pull(FakeHub::kRepo, "main", options);
  ASSERT_FALSE(hub.storage_tokens.empty());
  for (const std::string& token : hub.storage_tokens) EXPECT_EQ(token, "");
}

TEST(Pull, TakesEndpointTokenAndCacheFromTheEnvironment) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.token = "hf_secret";
  hub.start();
  const TempDir home;
  home.write("token", "hf_secret\n");
  test::ScopedVariables variables;
  variables.set("HF_ENDPOINT", hub.endpoint() + "/");
  variables.set("HF_HOME", home.path().string());
  EXPECT_EQ(pull(FakeHub::kRepo, "main", {}).snapshot,
            home / ("hub/models--org--name/snapshots/" + hub.commit));
  EXPECT_EQ(find_cached(FakeHub::kRepo), home / ("hub/models--org--name/snapshots/" + hub.commit));

  variables.set("HF_HUB_OFFLINE", "1");
  const size_t asked = hub.asked.size();
  EXPECT_EQ(pull(FakeHub::kRepo, "main", {}).commit, hub.commit);
  EXPECT_NE(error_of([] { pull("org/other", "main", {}); }).find("not found"), std::string::npos);
  EXPECT_EQ(hub.asked.size(), asked);  // not a word on the network
}

TEST(Pull, WithoutAnEndpointSaysWhatToSet) {
  const TempDir cache;
  test::ScopedVariables variables;
  variables.set("HF_HUB_CACHE", cache.path().string());
  EXPECT_NE(error_of([] { pull("org/name", "main", {}); }).find("set HF_ENDPOINT"), std::string::npos);
  for (const char* endpoint :
       {"hub", "ftp://h", "http://u:p@h", "http://h?x=1", "http://h#x", "http://h h"}) {
    PullOptions options;
    options.endpoint = endpoint;
    EXPECT_TRUE(error_of([&] { pull("org/name", "main", options); }).starts_with("invalid argument"))
        << endpoint;
  }
  EXPECT_TRUE(fs::is_empty(cache.path()));
}

TEST(Pull, ARenamedRepositoryIsFollowedWithinTheHub) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.start();
  test::LoopbackServer front;  // what an old name's address answers
  front.http.Get("/api/models/old/name/revision/main", [&](const auto&, auto& response) {
    response.set_content(
        fmt::format(R"({{"sha":"{}","siblings":[{{"rfilename":"config.json"}}]}})", hub.commit), "j");
  });
  front.http.Get(R"(/old/name/resolve/[^/]+/config.json)", [&](const auto& request, auto& response) {
    response.status = 307;
    response.set_header("Location", "/new/name/resolve/" + hub.commit + "/config.json");
    static_cast<void>(request);
  });
  front.http.Get(R"(/new/name/resolve/[^/]+/config.json)", [&](const auto&, auto& response) {
    response.set_header("ETag", "\"" + test::git_blob_sha1("{}") + "\"");
    response.set_content("{}", "application/json");
  });
  front.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  options.endpoint = front.url();
  const PullResult result = pull("old/name", "main", options);
  EXPECT_EQ(read_file(result.snapshot / "config.json", 10), "{}");
}

}  // namespace
}  // namespace vl3::hub
