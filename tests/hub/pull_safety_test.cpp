// A hub that is not to be trusted: names, sizes, hashes and redirects meant to do harm.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "hub/fake_hub.h"
#include "hub/hub.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::FakeHub;
using test::TempDir;

/// Every file below `dir`, links included.
size_t count_files(const fs::path& dir) {
  size_t count = 0;
  if (!fs::exists(dir)) return 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) count += !entry.is_directory();
  return count;
}

TEST(PullSafety, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"../evil.json", "a/../../evil.json", "/tmp/evil.json", "a//b.json", "./a.json",
                           "a/./b.json", "a\\..\\b.json", "a\nb.json", "\x1b[31m.json", "..\\..\\x.json"}) {
    FakeHub hub;
    hub.files[name] = {.content = "{}"};
    hub.start();
    const TempDir cache;
    const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); });
    EXPECT_TRUE(error.starts_with("corrupt")) << name << " → " << error;
    EXPECT_NE(error.find("not a name that may be written"), std::string::npos) << name << " → " << error;
    EXPECT_EQ(count_files(cache.path()), 0u);
    EXPECT_EQ(hub.heads, 0);
  }
}

TEST(PullSafety, ListsThatAreNoLists) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.start();
  const std::string sha = fmt::format(R"({{"sha":"{}")", hub.commit);
  std::string many = sha + R"(,"siblings":[)";
  for (int i = 0; i < 10001; ++i) many += fmt::format(R"({}{{"rfilename":"{}.json"}})", i > 0 ? "," : "", i);
  const struct {
    std::string listing;
    const char* error;
  } rows[] = {
      {"<html>", "not valid JSON"},
      {"[]", "expected a JSON object"},
      {"{}", "\"sha\" is missing"},
      {R"({"sha":7,"siblings":[]})", "\"sha\" must be a string"},
      {R"({"sha":"../../x","siblings":[]})", "not a commit"},
      {R"({"sha":"main","siblings":[]})", "not a commit"},
      {sha + "}", "\"siblings\" is missing"},
      {sha + R"(,"siblings":{}})", "must be an array"},
      {sha + R"(,"siblings":["config.json"]})", "expected a JSON object"},
      {sha + R"(,"siblings":[{"rfilename":1}]})", "must be a string"},
      {sha + R"(,"siblings":[]})", "none of the 0 files"},
      {many + "]}", "at most 10000 files"},
      {std::string(300, '['), "nested deeper"},
      {"{\"sha\":\"\xff\xfe\"}", "not valid JSON"},
  };
  const TempDir cache;
  for (const auto& row : rows) {
    hub.listing = row.listing;
    const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); });
    EXPECT_NE(error.find(row.error), std::string::npos) << row.listing.substr(0, 80) << " → " << error;
    EXPECT_EQ(count_files(cache.path()), 0u);
  }
}

TEST(PullSafety, ACommitMustBeTheOneAskedFor) {
  FakeHub hub;
  hub.files["config.json"] = {.content = "{}"};
  hub.listing = R"({"sha":")" + std::string(40, 'e') + R"(","siblings":[{"rfilename":"config.json"}]})";
  hub.start();
  const TempDir cache;
  EXPECT_NE(error_of([&] {
              pull(FakeHub::kRepo, hub.commit, hub.options(cache.path()));
            }).find("the hub answers for"),
            std::string::npos);
}

TEST(PullSafety, EtagsBecomeFileNamesOnlyWhenPlain) {
  for (const char* etag : {"../../../evil", "a/b", ".hidden", "x.incomplete", "a b", "%2e%2e%2fevil"}) {
    FakeHub hub;
    hub.files["m.safetensors"] = {.content = "x", .large = true, .etag = etag};
    hub.start();
    const TempDir cache;
    const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); });
    EXPECT_NE(error.find("not one to store a file under"), std::string::npos) << etag << " → " << error;
    EXPECT_EQ(count_files(cache.path()), 0u);
  }
}

TEST(PullSafety, SizesAreChecked) {
  const struct {
    const char* size;
    const char* error;
  } rows[] = {
      {"-5", "gives the size \"-5\""},
      {"0x10", "gives the size"},
      {"99999999999999999999", "gives the size"},
      {"900000000000000000", "the limit is"},
      {"1000000000000", "free"},  // below max_file_bytes, more than the disk has
      {"3", "more than the 3 bytes"},
  };
  for (const auto& row : rows) {
    FakeHub hub;
    hub.files["m.safetensors"] = {.content = "123456", .large = true, .size = row.size};
    hub.start();
    const TempDir cache;
    if (std::string(row.error) == "free" && fs::space(cache.path()).available > 1000000000000) continue;
    const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); });
    EXPECT_NE(error.find(row.error), std::string::npos) << row.size << " → " << error;
    EXPECT_EQ(count_files(cache / "models--org--name"), 0u) << row.size;
  }
}

TEST(PullSafety, TotalIsBounded) {
  FakeHub hub;
  for (int i = 0; i < 5; ++i) hub.files[fmt::format("{}.json", i)] = {.content = std::string(100, 'x')};
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  options.max_total_bytes = 450;
  EXPECT_NE(error_of([&] { pull(FakeHub::kRepo, "main", options); }).find("max_total_bytes"),
            std::string::npos);
}

TEST(PullSafety, APublicHubMayNotSendUsToAPrivateAddress) {
  FakeHub hub;
  hub.files["m.safetensors"] = {.content = "x", .large = true};
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  options.allow_private_addresses = false;  // as it is for an endpoint at a public address
  const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", options); });
  EXPECT_NE(error.find("only public addresses"), std::string::npos) << error;
  EXPECT_TRUE(hub.asked.empty());
}

TEST(PullSafety, RedirectsOfTheHubAreBounded) {
  FakeHub hub;
  hub.files["m.safetensors"] = {.content = "x", .large = true};
  hub.start();
  const TempDir cache;
  for (const char* to : {"file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x"}) {
    hub.redirect_to = to;
    const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); });
    EXPECT_NE(error.find("unusable address"), std::string::npos) << to << " → " << error;
  }
  hub.redirect_to = "/org/name/resolve/" + hub.commit + "/m.safetensors";  // to itself
  EXPECT_NE(error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); }).find("redirects"),
            std::string::npos);
  EXPECT_EQ(count_files(cache / "models--org--name"), 0u);
}

TEST(PullSafety, ASilentStorageEndsWithAnError) {
  const test::RawServer silent([](int, const test::RawServer& self) {
    while (!self.stopping()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  FakeHub hub;
  hub.files["m.safetensors"] = {.content = "x", .large = true};
  hub.redirect_to = silent.url("/x");
  hub.start();
  const TempDir cache;
  PullOptions options = hub.options(cache.path());
  options.idle_timeout_s = 0.2;
  options.attempts = 2;
  const auto begin = std::chrono::steady_clock::now();
  const std::string error = error_of([&] { pull(FakeHub::kRepo, "main", options); });
  EXPECT_TRUE(error.starts_with("limit reached")) << error;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(PullSafety, UnknownEtagsAreTakenWithoutACheckOfTheHash) {
  FakeHub hub;
  hub.files["m.safetensors"] = {
      .content = "123", .large = true, .etag = "0123456789abcdef0123456789abcdef-2"};
  hub.start();
  const TempDir cache;
  EXPECT_EQ(error_of([&] { pull(FakeHub::kRepo, "main", hub.options(cache.path())); }), "");
}

}  // namespace
}  // namespace vl3::hub
