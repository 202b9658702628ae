#include "serve/media/media_resolver.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>

#include "net/loopback.h"
#include "support/temp_dir.h"

namespace vl3::serve {
namespace {

using test::error_of;

std::string content(const Blob& blob) {
  if (blob.fd() < 0) return std::string(blob.bytes());
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
  EXPECT_GE(Blob::open_descriptors(), 1u);
  char c = 0;
  ASSERT_EQ(::pread(blob->fd(), &c, 1, 69 << 20), 1);
  EXPECT_EQ(c, 'a' + 69 % 26);
  BlobWriter small("small", 4);
  EXPECT_THROW(small.append("12345"), Error);
}

// One request of 60 x 400 pictures took 19,238 descriptors.
TEST(MediaResolver, SmallMediaTakeNoDescriptor) {
  const test::TempDir dir;
  dir.write("a.png", "picture");
  MediaPolicy policy;
  policy.allowed_local_path = std::filesystem::canonical(dir.path());
  MediaResolver resolver(policy);
  const size_t before = Blob::open_descriptors();
  MediaAllowance left = resolver.allowance("");
  std::vector<std::shared_ptr<const Blob>> blobs;
  for (int i = 0; i < 2000; ++i) blobs.push_back(resolver.resolve("data:," + std::to_string(i), left));
  blobs.push_back(resolver.resolve("file://" + policy.allowed_local_path.string() + "/a.png", left));
  EXPECT_EQ(content(*blobs.back()), "picture");
  EXPECT_EQ(Blob::open_descriptors(), before);
  EXPECT_EQ(content(*blobs[1234]), "1234");
}

TEST(MediaResolver, ARequestsLargeMediaTakeFewDescriptorsAndBoundedMemory) {
  const test::TempDir dir;
  const std::string megabytes(BlobWriter::kSmall + 1, 'x');
  dir.write("large", megabytes);
  MediaPolicy policy;
  policy.allowed_local_path = std::filesystem::canonical(dir.path());
  policy.request_descriptors = 3;
  policy.max_bytes = 2 << 20;
  policy.request_bytes = (5 << 20) + 100;
  MediaResolver resolver(policy);
  MediaAllowance left = resolver.allowance("");
  const std::string data = "data:," + megabytes,
                    file = "file://" + policy.allowed_local_path.string() + "/large";
  std::vector<std::shared_ptr<const Blob>> blobs;
  for (const std::string& url : {data, file, data, file, data, file})
    blobs.push_back(resolver.resolve(url, left));
  for (size_t i = 0; i < blobs.size(); ++i) {
    EXPECT_EQ(blobs[i]->fd() >= 0, i < 3) << i;
    EXPECT_EQ(content(*blobs[i]), megabytes);
  }
  // Five of them are held in memory; a further one is too much for this request, not for the next.
  EXPECT_TRUE(error_of([&] { resolver.resolve(data, left); }).starts_with("limit reached"));
  EXPECT_TRUE(error_of([&] { resolver.resolve(file, left); }).starts_with("limit reached"));
  EXPECT_NE(resolver.resolve(data, ""), nullptr);
  BlobWriter writer("much", 200 << 20, false);
  const std::string most(BlobWriter::kInMemory, 'x');
  writer.append(most);
  EXPECT_TRUE(error_of([&] { writer.append("x"); }).starts_with("limit reached"));
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

TEST(MediaResolver, TheWholeFileSystemWhereAllowed) {
  const test::TempDir dir;
  dir.write("a.png", "picture");
  const std::string folder = std::filesystem::canonical(dir.path()).string();
  std::filesystem::create_symlink(folder + "/a.png", folder + "/link");
  MediaPolicy policy;
  policy.allowed_local_path = "/";
  MediaResolver resolver(policy);
  EXPECT_EQ(content(*resolver.resolve("file://" + folder + "/a.png", "")), "picture");
  for (const std::string& bad : {folder + "/link", std::string("/"), "/" + folder + "/a.png", folder})
    EXPECT_THROW(resolver.resolve("file://" + bad, ""), Error) << bad;
}

TEST(MediaResolver, AFolderMayBeNamedThroughALink) {
  const test::TempDir dir;
  dir.write("real/sub/a.png", "picture");
  const std::string folder = std::filesystem::canonical(dir.path()).string();
  std::filesystem::create_directory_symlink(folder + "/real", folder + "/name");
  std::filesystem::create_directory_symlink(folder, folder + "/real/up");
  for (const char* written : {"/name", "/name/", "/./name", "/real/../name"}) {
    MediaPolicy policy;
    policy.allowed_local_path = folder + written;
    MediaResolver resolver(policy);
    for (const char* name : {"/name/sub/a.png", "/real/sub/a.png"})
      EXPECT_EQ(content(*resolver.resolve("file://" + folder + name, "")), "picture") << written << name;
    for (const char* name : {"/name/up/real/sub/a.png", "/name/../real/sub/a.png", "/namex"})
      EXPECT_THROW(resolver.resolve("file://" + folder + name, ""), Error) << written << name;
  }
}

TEST(MediaResolver, SchemesInAnyCase) {
  const test::TempDir dir;
  dir.write("a.png", "picture");
  MediaPolicy policy;
  policy.allowed_local_path = std::filesystem::canonical(dir.path());
  MediaResolver resolver(policy);
  const std::string path = policy.allowed_local_path.string() + "/a.png";
  for (const std::string& url : {"FILE://" + path, "File://LocalHost" + path, std::string("DATA:,picture")})
    EXPECT_EQ(content(*resolver.resolve(url, "")), "picture") << url;
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
}

TEST_F(RemoteMedia, NamesInAnyCase) {
  policy.allowed_domains = {"LocalHost."};
  MediaResolver resolver(policy);
  for (const char* host : {"localhost", "LOCALHOST", "localhost."}) {
    const std::string url = site.url("/a.png", host);
    EXPECT_EQ(content(*resolver.resolve("HTTP" + url.substr(4), "")), "bytes") << url;
  }
}

TEST_F(RemoteMedia, NotFromOthersAlsoAfterARedirect) {
  MediaResolver resolver(policy);
  EXPECT_THROW(resolver.resolve(site.url("/a.png", "localhost"), ""), Error);
  EXPECT_THROW(resolver.resolve(site.url("/elsewhere"), ""), Error);
  EXPECT_THROW(resolver.resolve(site.url("/away"), ""), Error);
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
  // Where a name leads is the server's network's own business.
  const std::string error = error_of([&] { resolver.resolve(site.url("/a.png", "localhost"), ""); });
  EXPECT_NE(error.find("only public addresses"), std::string::npos) << error;
  for (const char* told : {"127.0.0.1", "::1", "loopback"})
    EXPECT_EQ(error.find(told), std::string::npos) << error;
}

// 64 media of 30 s each were fetched one after the other for a client that was gone.
TEST_F(RemoteMedia, NotForAClientThatIsGone) {
  policy.fetch_timeout_s = 60;
  MediaResolver resolver(policy);
  std::atomic<int> asked{0};
  MediaAllowance left = resolver.allowance("", [&] { return ++asked > 3; });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/slow"), left); }).starts_with("cancelled"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/a.png"), left); }).starts_with("cancelled"));
  EXPECT_TRUE(error_of([&] { resolver.resolve("data:,x", left); }).starts_with("cancelled"));
}

TEST_F(RemoteMedia, WithinOneTimeForAllOfARequest) {
  policy.fetch_timeout_s = 60;
  MediaResolver resolver(policy);
  MediaAllowance left = resolver.allowance("");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(content(*resolver.resolve(site.url("/a.png"), left)), "bytes");
  ASSERT_TRUE(left.until.has_value());
  const auto until = *left.until;
  EXPECT_GT(until - start, std::chrono::seconds(119));
  EXPECT_EQ(content(*resolver.resolve(site.url("/a.png"), left)), "bytes");
  EXPECT_EQ(*left.until, until);
  left.until = std::chrono::steady_clock::now();
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/a.png"), left); }).starts_with("limit reached"));
  left.until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/slow"), left); }).starts_with("limit reached"));
  EXPECT_EQ(content(*resolver.resolve("data:,x", left)), "x");  // nothing to fetch
}

TEST_F(RemoteMedia, WithinTimeAndSize) {
  MediaResolver resolver(policy);
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/big"), ""); }).starts_with("limit reached"));
  EXPECT_TRUE(error_of([&] { resolver.resolve(site.url("/slow"), ""); }).starts_with("limit reached"));
}

TEST(MediaResolver, UuidsBelongToWhoGaveThem) {
  MediaResolver resolver({});
  const auto blob = resolver.resolve("data:,hello", "");
  resolver.remember("alice", "cat", blob);
  EXPECT_EQ(resolver.resolve("uuid:cat", "alice"), blob);
  EXPECT_THROW(resolver.resolve("uuid:cat", "bob"), Error);
  EXPECT_THROW(resolver.remember("alice", "cat", resolver.resolve("data:,other", "")), Error);
  resolver.remember("alic", "ecat", resolver.resolve("data:,third", ""));  // no mixing of scope and name
  EXPECT_EQ(resolver.resolve("uuid:cat", "alice"), blob);
}

// 960 junk media under uuids of their own took 960 descriptors.
TEST(MediaResolver, MediaKeptByUuidAreBounded) {
  const auto keep = [](MediaResolver& resolver, const std::string& url, int count) {
    const std::string scope = "Bearer " + std::string(30'000, 'k');
    for (int i = 0; i < count; ++i)
      resolver.remember(scope, std::to_string(i), resolver.resolve(url + std::to_string(i), scope));
    int kept = 0;
    for (int i = 0; i < count; ++i)
      kept += error_of([&] { resolver.resolve("uuid:" + std::to_string(i), scope); }).empty() ? 1 : 0;
    EXPECT_TRUE(error_of([&] { resolver.resolve("uuid:" + std::to_string(count - 1), scope); }).empty());
    return kept;
  };
  const size_t before = Blob::open_descriptors();
  MediaResolver resolver({});
  EXPECT_EQ(keep(resolver, "data:,junk", 1000), 256);
  EXPECT_EQ(Blob::open_descriptors(), before);

  MediaPolicy few;
  few.uuid_descriptors = 5;
  MediaResolver large(few);
  EXPECT_EQ(keep(large, "data:," + std::string(BlobWriter::kSmall, 'x'), 20), 5);
  EXPECT_EQ(Blob::open_descriptors(), before + 5);

  MediaPolicy small;
  small.uuid_bytes = 50'000;  // an entry costs more than its few bytes
  MediaResolver tight(small);
  const int kept = keep(tight, "data:,junk", 100);
  EXPECT_GE(kept, 5);
  EXPECT_LE(kept, 13);
}

}  // namespace
}  // namespace vl3::serve
