#include "net/address.h"

#include <gtest/gtest.h>

#include "net/fetch.h"
#include "support/temp_dir.h"

namespace vl3::net {
namespace {

using test::error_of;

struct Row {
  const char* address;
  const char* reason;  // nullptr: public
};

// First and last address of each block, their outer neighbours, and one inside the larger ones.
constexpr Row kRows[] = {
    {"0.0.0.0", "unspecified"},
    {"0.255.255.255", "unspecified"},
    {"1.0.0.0", nullptr},
    {"1.1.1.1", nullptr},
    {"8.8.8.8", nullptr},
    {"9.255.255.255", nullptr},
    {"10.0.0.0", "private"},
    {"10.1.2.3", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", nullptr},
    {"100.63.255.255", nullptr},
    {"100.64.0.0", "carrier-grade NAT"},
    {"100.100.100.200", "carrier-grade NAT"},
    {"100.127.255.255", "carrier-grade NAT"},
    {"100.128.0.0", nullptr},
    {"126.255.255.255", nullptr},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", nullptr},
    {"168.63.129.15", nullptr},
    {"168.63.129.16", "cloud metadata"},
    {"168.63.129.17", nullptr},
    {"169.253.255.255", nullptr},
    {"169.254.0.0", "link-local or cloud metadata"},
    {"169.254.169.254", "link-local or cloud metadata"},
    {"169.254.170.2", "link-local or cloud metadata"},
    {"169.255.0.0", nullptr},
    {"172.15.255.255", nullptr},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", nullptr},
    {"191.255.255.255", nullptr},
    {"192.0.0.0", "reserved for protocols"},
    {"192.0.0.192", "reserved for protocols"},
    {"192.0.1.0", nullptr},
    {"192.0.2.1", "documentation"},
    {"192.88.98.255", nullptr},
    {"192.88.99.1", "6to4 relay"},
    {"192.167.255.255", nullptr},
    {"192.168.0.0", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", nullptr},
    {"198.17.255.255", nullptr},
    {"198.18.0.0", "benchmarking"},
    {"198.19.255.255", "benchmarking"},
    {"198.20.0.0", nullptr},
    {"198.51.100.7", "documentation"},
    {"203.0.112.255", nullptr},
    {"203.0.113.7", "documentation"},
    {"203.0.114.0", nullptr},
    {"223.255.255.255", nullptr},
    {"224.0.0.1", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.1", "reserved or broadcast"},
    {"255.255.255.255", "reserved or broadcast"},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "IPv4-compatible"},
    {"::7f00:1", "IPv4-compatible"},
    {"::ffff:127.0.0.1", "IPv4-mapped"},
    {"::ffff:8.8.8.8", "IPv4-mapped"},
    {"::1:0:0:0", "outside global unicast"},
    {"64:ff9b::10.0.0.1", "NAT64"},
    {"64:ff9b::808:808", "NAT64"},
    {"64:ff9b:1:2::1", "NAT64"},
    {"64:ff9b:2::1", "outside global unicast"},
    {"100::1", "discard-only"},
    {"1fff:ffff::", "outside global unicast"},
    {"2000::1", nullptr},
    {"2001::1", "Teredo"},
    {"2001:0:7f00:1::", "Teredo"},
    {"2001:2::1", "reserved for protocols"},
    {"2001:20::1", "reserved for protocols"},
    {"2001:1ff:ffff::1", "reserved for protocols"},
    {"2001:200::1", nullptr},
    {"2001:4860:4860::8888", nullptr},
    {"2001:db7:ffff::1", nullptr},
    {"2001:db8::1", "documentation"},
    {"2001:db9::1", nullptr},
    {"2002::1", "6to4"},
    {"2002:7f00:1::", "6to4"},
    {"2003::1", nullptr},
    {"2606:4700::1111", nullptr},
    {"3fff::1", "documentation"},
    {"3fff:1000::1", nullptr},
    {"4000::1", "outside global unicast"},
    {"5f00::1", "segment routing"},
    {"fc00::1", "unique local (private)"},
    {"fd00:ec2::254", "unique local (private)"},
    {"fdff:ffff::1", "unique local (private)"},
    {"fe00::1", "outside global unicast"},
    {"fe80::1", "link-local"},
    {"febf::1", "link-local"},
    {"fec0::1", "site-local"},
    {"feff::1", "site-local"},
    {"ff00::1", "multicast"},
    {"ff02::1", "multicast"},
};

TEST(AddressPolicy, EachRowOfTheTable) {
  static_assert(std::size(kRows) >= 90);
  for (const Row& row : kRows) {
    const char* reason = non_public_reason(std::string(row.address));
    EXPECT_EQ(std::string(reason == nullptr ? "public" : reason),
              row.reason == nullptr ? "public" : row.reason)
        << row.address;
  }
}

TEST(AddressPolicy, TextThatIsNoAddressIsAnError) {
  for (const char* text : {"", "1.2.3", "1.2.3.256", "::g", "localhost", "127.1"}) {
    EXPECT_NE(error_of([&] { non_public_reason(std::string(text)); }).find("is not an address"),
              std::string::npos)
        << text;
  }
}

TEST(ResolveHost, LiteralsAndNamesObeyThePolicy) {
  const Deadline soon = Deadline::in(10);
  EXPECT_EQ(resolve_host("127.0.0.1", 80, true, soon).at(0).text(), "127.0.0.1");
  EXPECT_EQ(resolve_host("::1", 80, true, soon).at(0).text(), "::1");
  EXPECT_EQ(resolve_host("8.8.8.8", 80, false, soon).at(0).text(), "8.8.8.8");
  for (const char* host : {"127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "169.254.169.254"}) {
    EXPECT_NE(error_of([&] { resolve_host(host, 80, false, soon); }).find("only public addresses"),
              std::string::npos)
        << host;
  }
  // What a name led to is not told: it may be a network that the asking one cannot see.
  const std::string error = error_of([&] { resolve_host("localhost", 80, false, soon); });
  for (const char* told : {"127.0.0.1", "::1", "loopback"})
    EXPECT_EQ(error.find(told), std::string::npos) << error;
}

TEST(ResolveHost, AnUnknownHostIsNotFound) {
  const std::string host(64, 'a');  // longer than DNS allows, so that nobody is asked
  try {
    resolve_host(host, 80, true, Deadline::in(20));
    FAIL();
  } catch (const FetchError& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << error.what();
    EXPECT_EQ(error.status(), 0);
  }
}

TEST(ResolveHost, ASlowResolverIsLeftBehind) {
  // "localhost" is answered fast, but seldom before a deadline that has already passed.
  std::string error;
  for (int i = 0; i < 100 && error.empty(); ++i) {
    error = error_of([] { resolve_host("localhost", 80, true, Deadline::in(0)); });
  }
  EXPECT_NE(error.find("time limit"), std::string::npos) << error;
}

}  // namespace
}  // namespace vl3::net
