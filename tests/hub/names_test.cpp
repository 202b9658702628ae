#include "hub/names.h"

#include <gtest/gtest.h>

#include "hub/hub.h"
#include "support/temp_dir.h"

namespace vl3::hub {
namespace {

using test::error_of;

TEST(Names, RepoIds) {
  for (const char* good : {"DAMO-NLP-SG/VideoLLaMA3-2B", "a/b", "o_1/n.v2_x-y", "0/1"}) {
    EXPECT_TRUE(is_repo_id(good)) << good;
    EXPECT_EQ(error_of([&] { check_repo_id(good); }), "");
  }
  const std::string long_name = "o/" + std::string(95, 'a');
  for (const char* bad :
       {"",        "name",  "/",     "a/",    "/b",     "a/b/c",  "a//b",       "../b",
        "a/..",    "a/.b",  "a/b.",  "-a/b",  "a/b-",   "a--b/c", "a/b--c",     "a/b..c",
        "a/b.git", "a/b c", "a/b\n", "a/b?x", "a/b%2e", "a\\b/c", "a/\xc3\xa4", long_name.c_str()}) {
    EXPECT_FALSE(is_repo_id(bad)) << bad;
    EXPECT_NE(error_of([&] { check_repo_id(bad); }).find("invalid argument"), std::string::npos) << bad;
  }
  EXPECT_EQ(repo_folder("org/name"), "models--org--name");
}

TEST(Names, ModelsMayNameARevision) {
  const auto parsed = [](const std::string& text) {
    const std::optional<ModelName> name = parse_model_name(text);
    return name ? name->repo_id + " " + name->revision : "none";
  };
  EXPECT_EQ(parsed("a/b"), "a/b main");
  EXPECT_EQ(parsed("a/b@v1.0"), "a/b v1.0");
  EXPECT_EQ(parsed("a/b@refs/pr/1"), "a/b refs/pr/1");
  EXPECT_EQ(parsed("a/b@x@y"), "a/b x@y");
  for (const char* other : {"", "@v1", "b@v1", "./a/b@v1", "a/b/c"})
    EXPECT_EQ(parsed(other), "none") << other;
}

TEST(Names, Revisions) {
  for (const char* good :
       {"main", "v1.0", "refs/pr/12", "feature/a_b-c+d", "0123456789abcdef0123456789abcdef01234567"}) {
    EXPECT_EQ(error_of([&] { check_revision(good); }), "") << good;
  }
  for (const char* bad :
       {"",    "/a",  "a/", "a//b", "..", "../a", "a/../b", ".a",    "a/.b", "a.",     "a b",     "a\nb",
        "a:b", "a~1", "a^", "a?",   "a*", "a[b",  "a\\b",   "a@{1}", "-a",   "a.lock", "\xc3\xa4"}) {
    EXPECT_NE(error_of([&] { check_revision(bad); }).find("invalid argument"), std::string::npos) << bad;
  }
  EXPECT_NE(error_of([] { check_revision(std::string(300, 'a')); }), "");
  EXPECT_TRUE(is_commit(std::string(40, 'f')));
  EXPECT_FALSE(is_commit(std::string(39, 'f')));
  EXPECT_FALSE(is_commit(std::string(40, 'F')));
}

TEST(Names, FilesFromTheServer) {
  for (const char* good :
       {"a", "a.json", "a/b/c.txt", ".gitattributes", "a b.txt", "\xc3\xa4.txt", "..a", "a..b"}) {
    EXPECT_EQ(error_of([&] { check_file_name(good); }), "") << good;
  }
  for (const char* bad : {"", "/", "/etc/passwd", "..", "../x", "a/../x", "a/..", "./a", "a/.", "a//b", "a/",
                          "a\\b", "a\nb", "\x1b[2J", "a\x7f"}) {
    EXPECT_NE(error_of([&] { check_file_name(bad); }).find("corrupt"), std::string::npos) << bad;
  }
  EXPECT_NE(error_of([] { check_file_name(std::string("a\0b", 3)); }), "");
  EXPECT_NE(error_of([] { check_file_name(std::string(201, 'a')); }), "");
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "a/";
  EXPECT_NE(error_of([&] { check_file_name(deep + "b"); }), "");
}

TEST(Names, Etags) {
  EXPECT_EQ(clean_etag("\"abc123\"", "f"), "abc123");
  EXPECT_EQ(clean_etag("W/\"abc-1\"", "f"), "abc-1");
  EXPECT_EQ(clean_etag("abc", "f"), "abc");
  for (const char* bad : {"", "\"\"", "\"", "\"../x\"", "\"a/b\"", "\"..\"", "\".a\"", "\"a b\"", "\"a\nb\"",
                          "\"x.incomplete\"", "\"a\"b\""}) {
    EXPECT_NE(error_of([&] { clean_etag(bad, "f"); }).find("corrupt: f: "), std::string::npos) << bad;
  }
  EXPECT_NE(error_of([] { clean_etag(std::string(129, 'a'), "f"); }), "");
}

TEST(Names, Globs) {
  EXPECT_TRUE(glob_matches("*.json", "config.json"));
  EXPECT_TRUE(glob_matches("*.json", "sub/config.json"));
  EXPECT_TRUE(glob_matches("model-0000[12]*", "model-00002-of-3.safetensors"));
  EXPECT_FALSE(glob_matches("*.json", "config.json5"));
  EXPECT_FALSE(glob_matches("config", "config.json"));
}

}  // namespace
}  // namespace vl3::hub
