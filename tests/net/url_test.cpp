#include "net/url.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;

TEST(Url, TakesApartAndPutsTogether) {
  const Url url = parse_url("HTTPS://Files.Example.test:8443/a%20b/c?x=1#part");
  EXPECT_TRUE(url.https);
  EXPECT_EQ(url.host, "files.example.test");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a%20b/c?x=1");
  EXPECT_EQ(url.str(), "https://files.example.test:8443/a%20b/c?x=1");
  EXPECT_EQ(url.shown(), "https://files.example.test:8443/a%20b/c");
}

TEST(Url, FormsThatMeanTheSame) {
  EXPECT_EQ(parse_url("http://h").str(), "http://h/");
  EXPECT_EQ(parse_url("http://h:80/").str(), "http://h/");
  EXPECT_EQ(parse_url("https://h:443?q").str(), "https://h/?q");
  EXPECT_EQ(parse_url("http://h.test./x").host, "h.test");
  EXPECT_EQ(parse_url("http://[2001:DB8::1]:81/x").str(), "http://[2001:db8::1]:81/x");
  EXPECT_EQ(parse_url("http://[::1]/").authority(), "[::1]");
  EXPECT_EQ(parse_url("http://h/\xc3\xa4?\xc3\xbc").target, "/%C3%A4?%C3%BC");
  EXPECT_EQ(parse_url("http://1.2.3.4/x@y").host, "1.2.3.4");
}

TEST(Url, RefusesWhatIsNotPlain) {
  const struct {
    const char* text;
    const char* reason;
  } rows[] = {
      {"", "not a web address"},
      {"h/x", "not a web address"},
      {"//h/x", "not a web address"},
      {"file:///etc/passwd", "not a web address"},
      {"ftp://h/", "not a web address"},
      {"httpx://h/", "not a web address"},
      {" http://h/", "0x20"},
      {"http://h/a b", "0x20"},
      {"http://h/\r\nX: y", "0x0d"},
      {"http://h/\x7f", "0x7f"},
      {"http://h\\@x/", "backslash"},
      {"http://", "a host of 0 characters"},
      {"http:///x", "a host of 0 characters"},
      {"http://:80/", "a host of 0 characters"},
      {"http://user@h/", "user:password@"},
      {"http://user:secret@h/", "user:password@"},
      {"http://h:/", "port \"\""},
      {"http://h:0/", "port \"0\""},
      {"http://h:65536/", "port \"65536\""},
      {"http://h:+80/", "port \"+80\""},
      {"http://h:80x/", "port \"80x\""},
      {"http://[::1/", "lacks its ]"},
      {"http://[::1]x/", "other than a port"},
      {"http://[fe80::1%25eth0]/", "not an IPv6 address"},
      {"http://[1.2.3.4]/", "not an IPv6 address"},
      {"http://::1/", "a host of 0 characters"},
      {"http://a..b/", "each part has"},
      {"http://.a/", "each part has"},
      {"http://./", "each part has"},
      {"http://a!b/", "only letters"},
      {"http://b\xc3\xbc"
       "cher/",
       "only letters"},
      {"http://a%41/", "only letters"},
      {"http://2130706433/", "four decimal numbers"},
      {"http://0x7f000001/", "four decimal numbers"},
      {"http://0x7f.1/", "four decimal numbers"},
      {"http://127.1/", "four decimal numbers"},
      {"http://0177.0.0.1/", "four decimal numbers"},
      {"http://1.2.3.4.5/", "four decimal numbers"},
      {"http://1.2.3.256/", "four decimal numbers"},
      {"http://h/%", "broken % escape"},
      {"http://h/%g1", "broken % escape"},
      {"http://h/a%2", "broken % escape"},
  };
  for (const auto& row : rows) {
    const std::string error = error_of([&] { parse_url(row.text); });
    EXPECT_TRUE(error.starts_with("invalid argument")) << row.text << " → " << error;
    EXPECT_NE(error.find(row.reason), std::string::npos) << row.text << " → " << error;
    EXPECT_EQ(error.find("secret"), std::string::npos) << error;
  }
  EXPECT_NE(error_of([] { parse_url("http://" + std::string(64, 'a') + "/"); }), "");
  EXPECT_NE(error_of([] { parse_url("http://" + std::string(300, 'a') + "/"); }), "");
  EXPECT_NE(error_of([] { parse_url("http://h/" + std::string(9000, 'a')); }), "");
}

TEST(Url, ResolvesReferencesAsRfc3986) {
  const Url base = parse_url("http://a/b/c/d;p?q");
  const struct {
    const char* reference;
    const char* result;
  } rows[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/../h", "http://a/b/c/h"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://other:8/z", "https://other:8/z"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(resolve_reference(base, row.reference).str(), row.result) << row.reference;
  for (const char* bad :
       {"mailto:x", "javascript:alert(1)", "file:///etc/passwd", "//u:p@h/", "/a b", "/\n"}) {
    EXPECT_NE(error_of([&] { resolve_reference(base, bad); }), "") << bad;
  }
}

TEST(Url, IsToldFromOtherReferencesByItsScheme) {
  for (const char* web : {"http://a/b.png", "https://a"}) EXPECT_TRUE(is_web_address(web)) << web;
  for (const char* other :
       {"", "-", "a.png", "http:/a", "ftp://a", "file:///a", "data:image/png;base64,", "HTTP://a"})
    EXPECT_FALSE(is_web_address(other)) << other;
}

TEST(Url, PercentEncodesForPathParts) {
  EXPECT_EQ(percent_encode("refs/pr/1", false), "refs%2Fpr%2F1");
  EXPECT_EQ(percent_encode("a b/c+d~\xc3\xa4.txt", true), "a%20b/c%2Bd~%C3%A4.txt");
}

}  // namespace
}  // namespace vl3::net
