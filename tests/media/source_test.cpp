#include "media/source.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <unistd.h>

#include <thread>

#include "media/media_tools.h"

namespace vl3::media {
namespace {

using std::literals::string_literals::operator""s;
using test::error_of;
using test::make_gif;
using test::make_png;
using test::TempDir;

std::string content(const MediaData& media) { return *read_media(media); }

// Gives `sent` through a pipe, as stdin would.
MediaData through_pipe(const std::string& sent, const MediaLimits& limits) {
  int ends[2];
  VL3_CHECK(::pipe(ends) == 0, kInternal, "pipe");
  std::thread writer([&] {
    size_t done = 0;
    while (done < sent.size()) {
      const ssize_t put = ::write(ends[1], sent.data() + done, sent.size() - done);
      if (put <= 0) break;
      done += static_cast<size_t>(put);
    }
    ::close(ends[1]);
  });
  struct Cleanup {
    int fd;
    std::thread& thread;
    ~Cleanup() {
      std::vector<char> rest(1 << 16);
      while (::read(fd, rest.data(), rest.size()) > 0) {
      }
      ::close(fd);
      thread.join();
    }
  } cleanup{ends[0], writer};
  return media_from_descriptor(ends[0], "stdin", limits);
}

TEST(Source, OpensPathsAndUrls) {
  const TempDir dir;
  const std::filesystem::path path = dir.write("a b.bin", "xyz");
  EXPECT_EQ(content(open_media(path.string())), "xyz");
  EXPECT_EQ(content(open_media("file://" + (dir / "a%20b.bin").string())), "xyz");
  EXPECT_EQ(content(open_media("file://localhost" + (dir / "a%20b.bin").string())), "xyz");
  EXPECT_EQ(content(open_media("data:;base64,eHl6")), "xyz");
}

TEST(Source, SpoolsAPipe) {
  EXPECT_EQ(content(through_pipe("abc", {})), "abc");
  EXPECT_EQ(content(through_pipe("", {})), "");
  std::string large(70 << 20, 'x');  // past what stays in memory
  large += "end";
  const MediaData spooled = through_pipe(large, {});
  EXPECT_FALSE(spooled.in_memory());
  EXPECT_EQ(content(spooled), large);
}

TEST(Source, LimitsBytes) {
  const TempDir dir;
  const std::string path = dir.write("big", std::string(100, 'x')).string();
  MediaLimits limits;
  limits.max_bytes = 10;
  EXPECT_NE(error_of([&] { through_pipe(std::string(100, 'x'), limits); }).find("limit reached"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_media(open_media(path, limits), limits); }).find("limit reached"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open_media("data:," + std::string(100, 'x'), limits); }).find("limit reached"),
            std::string::npos);
  limits.max_file_bytes = 99;
  EXPECT_NE(error_of([&] { open_media(path, limits); }).find("the limit is 99"), std::string::npos);
}

TEST(Source, RefusesBadReferences) {
  const TempDir dir;
  struct Case {
    std::string ref, error;
  };
  const std::vector<Case> cases = {
      {"", "invalid argument"},
      {"/nowhere/at.all", "not found"},
      {"gopher://host/x", "unknown scheme"},
      {"rtmp://host/x", "unknown scheme"},
      {"concat:a|b", "not found"},
      {"file://otherhost/x", "absolute path on this machine"},
      {"file:///x%00y", "NUL"},
      {"file:///x%4", "broken % escape"},
      {"a\0b"s, "invalid argument"},
      {"/dev/zero", "neither a file nor a folder"},
      {"http://", "invalid argument"},
      {"http://127.0.0.1:9/x.png", "invalid argument"},
      {"data:image/png", "without a comma"},
  };
  for (const Case& c : cases) {
    EXPECT_NE(error_of([&] { open_media(c.ref); }).find(c.error), std::string::npos)
        << c.ref << ": " << error_of([&] { open_media(c.ref); });
  }
}

TEST(Source, FetchesOverHttp) {
  httplib::Server server;
  server.Get("/p.png", [](const httplib::Request&, httplib::Response& reply) {
    reply.set_content(make_png(1, 1, 8, 0, "\0\x07"s), "image/png");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  const std::string url = fmt::format("http://127.0.0.1:{}/p.png", port);
  MediaLimits limits;
  limits.allow_private_addresses = true;
  EXPECT_EQ(error_of([&] { EXPECT_EQ(sniff_media(open_media(url, limits)), MediaKind::kImage); }), "");
  EXPECT_NE(error_of([&] { open_media(url); }), "");
  limits.max_bytes = 10;
  EXPECT_NE(error_of([&] { open_media(url, limits); }).find("limit reached"), std::string::npos);
  server.stop();
  thread.join();
}

// As with a pipe, memory stays bounded, whether the server says the length or not, or packs the body.
TEST(Source, SpoolsLargeRepliesToAFile) {
  const std::string large = std::string(65 << 20, 'x') + "end";
  httplib::Server server;
  server.Get("/plain",
             [&](const httplib::Request&, httplib::Response& reply) { reply.set_content(large, "a/b"); });
  server.Get("/chunked", [&](const httplib::Request&, httplib::Response& reply) {
    reply.set_chunked_content_provider("a/b", [&](size_t offset, httplib::DataSink& sink) {
      const size_t size = std::min<size_t>(1 << 20, large.size() - offset);
      if (size == 0) sink.done();
      return size == 0 || sink.write(large.data() + offset, size);
    });
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  MediaLimits limits;
  limits.allow_private_addresses = true;
  for (const char* path : {"plain", "chunked"}) {
    const std::string failed = error_of([&] {
      const MediaData media = open_media(fmt::format("http://127.0.0.1:{}/{}", port, path), limits);
      EXPECT_FALSE(media.in_memory()) << path;
      EXPECT_NE(std::filesystem::read_symlink(media.path).string().find("(deleted)"), std::string::npos)
          << path;
      EXPECT_TRUE(content(media) == large) << path;
    });
    EXPECT_EQ(failed, "") << path;
  }
  server.stop();
  thread.join();
}

// Names are shown on terminals, in reports and in replies.
TEST(Source, NamesArePrintableOnOneLine) {
  const TempDir dir;
  const std::string odd = dir.write("a\x1b[31m\nb.png", make_png(1, 1, 8, 0, "\0\x07"s)).string();
  const MediaData media = open_media(odd);
  EXPECT_TRUE(media.name.ends_with("a\\x1b[31m b.png")) << media.name;
  EXPECT_EQ(sniff_media(media), MediaKind::kImage);  // the path is as it was
  EXPECT_EQ(media_from_bytes("x", "\x1b]0;t\x07").name, "\\x1b]0;t\\x07");
  EXPECT_EQ(open_media("data:,\xc3\xa9" + std::string(71, '.') + "\xc3\xa9" + std::string(20, '.')).name,
            "data:,\xc3\xa9" + std::string(69, '.') + "...");
}

TEST(Source, TellsKindsByContentNotByName) {
  const TempDir dir;
  const auto kind = [&](const std::string& name, const std::string& bytes) {
    return sniff_media(open_media(dir.write(name, bytes).string()));
  };
  EXPECT_EQ(kind("picture.mp4", make_png(1, 1, 8, 0, "\0\x07"s)), MediaKind::kImage);
  EXPECT_EQ(kind("still.gif", make_gif(1)), MediaKind::kImage);
  EXPECT_EQ(kind("moving.png", make_gif(3)), MediaKind::kVideo);
  EXPECT_EQ(kind("no-frames.gif", make_gif(0)), MediaKind::kImage);
  EXPECT_EQ(kind("video.jpg",
                 "\0\0\0\x18"
                 "ftypisom\0\0\0\0isommp42"s),
            MediaKind::kVideo);
  EXPECT_EQ(kind("a.heic",
                 "\0\0\0\x18"
                 "ftypmif1\0\0\0\0mif1heic"s),
            MediaKind::kImage);
  EXPECT_EQ(kind("a.avif",
                 "\0\0\0\x1c"
                 "ftypmif1\0\0\0\0mif1avifmiaf"s),
            MediaKind::kImage);
  EXPECT_EQ(kind("x.webm", "\x1a\x45\xdf\xa3rest"s), MediaKind::kVideo);
}

TEST(Source, RefusesPlaylistsAndUnknownBytes) {
  const auto error = [](const std::string& bytes) {
    return error_of([&] { sniff_media(media_from_bytes(bytes, "m")); });
  };
  for (const std::string text :
       {"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "ffconcat version 1.0\nfile /etc/passwd\n",
        "\xef\xbb\xbf#EXTM3U\n", "file '/etc/passwd'\n", "<?xml version=\"1.0\"?><MPD/>",
        "v=0\no=- 0 0 IN IP4 1.2.3.4\n"}) {
    EXPECT_NE(error(text).find("unsupported: m: is a playlist"), std::string::npos) << text << error(text);
  }
  EXPECT_NE(error("").find("corrupt: m: is empty"), std::string::npos);
  EXPECT_NE(error("hello").find("neither a picture nor a video"), std::string::npos);
  EXPECT_NE(error("%PDF-1.7").find("PDF is not read"), std::string::npos);
  EXPECT_NE(error("<svg xmlns=''/>").find("SVG is not read"), std::string::npos);
}

TEST(Source, ListsFoldersInOrder) {
  const TempDir dir;
  const std::string png = make_png(1, 1, 8, 0, "\0\x07"s);
  for (const char* name : {"10.png", "2.png", "B.png", "a.png"}) dir.write(name, png);
  dir.write(".hidden.png", png);
  dir.write("notes.txt", "no picture");
  const std::vector<std::filesystem::path> frames = list_frames(dir.path());
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_EQ(frames[0].filename(), "10.png");
  EXPECT_EQ(frames[1].filename(), "2.png");
  EXPECT_EQ(frames[2].filename(), "B.png");
  EXPECT_EQ(frames[3].filename(), "a.png");
  EXPECT_EQ(sniff_media(open_media(dir.path().string())), MediaKind::kFrameFolder);
  MediaLimits limits;
  limits.max_frames = 3;
  EXPECT_NE(error_of([&] { list_frames(dir.path(), limits); }).find("more than 3"), std::string::npos);
  const TempDir empty;
  EXPECT_NE(error_of([&] { sniff_media(open_media(empty.path().string())); }).find("without pictures"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::media
