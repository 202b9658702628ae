#include "serve/media/media_resolver.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::serve {
namespace {

using test::error_of;

std::string content(const Blob& blob) {
  std::string text(blob.size(), '\0');
  EXPECT_EQ(::pread(blob.fd(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

TEST(MediaResolver, DataUrlsAreNamedByTheirContent) {
  MediaResolver resolver({});
  const auto a = resolver.resolve("data:image/png;base64,aGVsbG8=", ""),
             b = resolver.resolve("data:,hello", "");
  EXPECT_EQ(content(*a), "hello");
  EXPECT_EQ(a->identity(), b->identity());
  EXPECT_EQ(a->identity(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_NE(a->identity(), resolver.resolve("data:,hellp", "")->identity());
}

TEST(MediaResolver, LargeMediaGoToDiskWhole) {
  BlobWriter writer("big", 200 << 20);
  std::string piece(1 << 20, 'a');
  for (int i = 0; i < 70; ++i) {
    piece[0] = static_cast<char>('a' + i % 26);
    writer.append(piece);
  }
  const auto blob = writer.finish();
  EXPECT_EQ(blob->size(), 70u << 20);
  char c = 0;
  ASSERT_EQ(::pread(blob->fd(), &c, 1, 69 << 20), 1);
  EXPECT_EQ(c, 'a' + 69 % 26);
  BlobWriter small("small", 4);
  EXPECT_THROW(small.append("12345"), Error);
}

TEST(MediaResolver, FilesBelowOneFolderOnly) {
  const test::TempDir dir;
  dir.write("media/sub/a.png", "picture");
  dir.write("secret", "secret");
  const std::string root = std::filesystem::canonical(dir / "media").string();
  std::filesystem::create_symlink(dir / "secret", dir / "media/link");
  std::filesystem::create_directory_symlink(dir.path(), dir / "media/up");
  ::mkfifo((root + "/pipe").c_str(), 0600);
  MediaPolicy policy;
  policy.allowed_local_path = dir / "media";
  MediaResolver resolver(policy);
  EXPECT_EQ(content(*resolver.resolve("file://" + root + "/sub/a.png", "")), "picture");
  EXPECT_EQ(content(*resolver.resolve("file://localhost" + root + "/sub/a%2Epng", "")), "picture");
  for (const std::string& bad :
       {root + "/link", root + "/up/secret", root + "/../secret", root + "/sub/../../secret",
        root + "/%2e%2e/secret", root + "/./sub/a.png", root + "//sub/a.png", root + "/sub", root + "/pipe",
        root + "/none", root, root + "x/a", std::string("/etc/passwd"), root + "/a%00b"})
    EXPECT_THROW(resolver.resolve("file://" + bad, ""), Error) << bad;
  EXPECT_THROW(resolver.resolve("file://host" + root + "/sub/a.png", ""), Error);
  EXPECT_THROW(MediaResolver({}).resolve("file://" + root + "/sub/a.png", ""), Error);
}

class RemoteMedia : public ::testing::Test {
 public:
  test::LoopbackServer site;
  MediaPolicy policy;

  void SetUp() override {
    site.http.Get("/a.png", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("bytes", "image/png");
    });
    site.http.Get("/big", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(2000, 'x'), "image/png");
    });
    site.http.Get("/away", [](const httplib::Request&, httplib::Response& response) {
      response.set_redirect("http://169.254.169.254/latest/meta-data/");
    });
    site.http.Get("/elsewhere", [this](const httplib::Request&, httplib::Response& response) {
      response.set_redirect(site.url("/a.png", "localhost"));
    });
    site.http.Get("/slow", [](const httplib::Request&, httplib::Response& response) {
      std::this_thread::sleep_for(std::chrono::seconds(3));
      response.set_content("late", "image/png");
    });
    site.start();
    policy.allowed_domains = {"127.0.0.1"};
    policy.allow_private_addresses = true;
    policy.fetch_timeout_s = 1;
    policy.max_bytes = 1000;
  }
};

TEST_F(RemoteMedia, FromNamedHosts) {
  MediaResolver resolver(policy);
  EXPECT_EQ(content(*resolver.resolve(site.url("/a.png"), "")), "bytes");
  EXPECT_EQ(resolver.fetched_bytes(), 5u);
}

TEST_F(RemoteMedia, NotFromOthersAlsoAfterARedirect) {
  MediaResolver resolver(policy);
  EXPECT_THROW(resolver.resolve(site.url("/a.png", "localhost"), ""), Error);
  EXPECT_THROW(resolver.resolve(site.url("/elsewhere"), ""), Error);
  EXPECT_THROW(resolver.resolve(site.url("/away"), ""), Error);
  EXPECT_EQ(resolver.refused(), 3u);
  policy.allowed_domains.clear();
  EXPECT_THROW(MediaResolver(policy).resolve(site.url("/a.png"), ""), Error);
}

TEST_F(RemoteMedia, NoPrivateAddressWhateverItsName) {
  policy.allow_private_addresses = false;
  policy.allowed_domains = {"*"};
  MediaResolver resolver(policy);
  for (const std::string& url : {site.url("/a.png"), site.url("/a.png", "localhost"),
                                 site.url("/a.png", "[::1]"), std::string("http://169.254.169.254/"),
                                 std::string("http://0x7f.1/"), std::string("http://[::ffff:127.0.0.1]/")})
    EXPECT_THROW(resolver.resolve(url, ""), Error) << url;
}

TEST_F(RemoteMedia, WithinTimeAndSize) {
  MediaResolver resolver(policy);
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/big"), ""); }).starts_with("limit reached"));
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/slow"), ""); }).starts_with("limit reached"));
}

TEST(MediaResolver, UuidsBelongToWhoGaveThem) {
  MediaPolicy policy;
  policy.uuid_bytes = 10;
  MediaResolver resolver(policy);
  const auto blob = resolver.resolve("data:,hello", "");
  resolver.remember("alice", "cat", blob);
  EXPECT_EQ(resolver.resolve("uuid:cat", "alice"), blob);
  EXPECT_THROW(resolver.resolve("uuid:cat", "bob"), Error);
  EXPECT_THROW(resolver.remember("alice", "cat", resolver.resolve("data:,other", "")), Error);
  resolver.remember("alice", "dog",
                    resolver.resolve("data:,123456", ""));  // 11 bytes together: the older one goes
  EXPECT_THROW(resolver.resolve("uuid:cat", "alice"), Error);
}

}  // namespace
}  // namespace vl3::serve
