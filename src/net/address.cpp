#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include "core/check.h"
#include "net/fetch.h"

namespace vl3::net {
namespace {

constexpr size_t kMaxAddresses = 8;

struct Block {
  const char* network;
  int prefix;  ///< leading bits that must agree
  const char* reason;
};

// IANA special-purpose address registries (RFC 6890 and its updates), plus one cloud's service address that
// lies in public space. All but the listed is public.
constexpr Block kIpv4Blocks[] = {
    {"0.0.0.0", 8, "unspecified"},           {"10.0.0.0", 8, "private"},
    {"100.64.0.0", 10, "carrier-grade NAT"}, {"127.0.0.0", 8, "loopback"},
    {"168.63.129.16", 32, "cloud metadata"}, {"169.254.0.0", 16, "link-local or cloud metadata"},
    {"172.16.0.0", 12, "private"},           {"192.0.0.0", 24, "reserved for protocols"},
    {"192.0.2.0", 24, "documentation"},      {"192.88.99.0", 24, "6to4 relay"},
    {"192.168.0.0", 16, "private"},          {"198.18.0.0", 15, "benchmarking"},
    {"198.51.100.0", 24, "documentation"},   {"203.0.113.0", 24, "documentation"},
    {"224.0.0.0", 4, "multicast"},           {"240.0.0.0", 4, "reserved or broadcast"},
};

constexpr Block kIpv6Blocks[] = {
    {"::", 128, "unspecified"},
    {"::1", 128, "loopback"},
    {"::ffff:0:0", 96, "IPv4-mapped"},
    {"::", 96, "IPv4-compatible"},
    {"64:ff9b::", 96, "NAT64"},
    {"64:ff9b:1::", 48, "NAT64"},
    {"100::", 64, "discard-only"},
    {"2001::", 32, "Teredo"},
    {"2001::", 23, "reserved for protocols"},
    {"2001:db8::", 32, "documentation"},
    {"2002::", 16, "6to4"},
    {"3fff::", 20, "documentation"},
    {"5f00::", 16, "segment routing"},
    {"fc00::", 7, "unique local (private)"},
    {"fe80::", 10, "link-local"},
    {"fec0::", 10, "site-local"},
    {"ff00::", 8, "multicast"},
};

bool bits_agree(const uint8_t* a, const uint8_t* b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (std::memcmp(a, b, whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

template <size_t kBytes, size_t kBlocks>
const char* find_block(int family, const uint8_t* address, const Block (&blocks)[kBlocks]) {
  for (const Block& block : blocks) {
    std::array<uint8_t, kBytes> network{};
    inet_pton(family, block.network, network.data());
    if (bits_agree(address, network.data(), block.prefix)) return block.reason;
  }
  return nullptr;
}

struct Resolved {
  int status = 0;
  std::vector<Address> addresses;
};

Resolved ask_resolver(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Resolved result;
  result.status = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  for (const addrinfo* item = list; item != nullptr && result.status == 0; item = item->ai_next) {
    if (item->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address address;
    std::memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
    address.length = item->ai_addrlen;
    result.addresses.push_back(address);
  }
  if (list != nullptr) freeaddrinfo(list);
  return result;
}

/// getaddrinfo knows no time limit, so it runs on a thread of its own that outlives an impatient caller: it
/// owns all it touches and ends when the system's resolver gives up.
Resolved ask_resolver_until(const std::string& host, uint16_t port, const Deadline& deadline) {
  auto promise = std::make_shared<std::promise<Resolved>>();
  std::future<Resolved> answer = promise->get_future();
  std::thread([promise, host, port] { promise->set_value(ask_resolver(host, port)); }).detach();
  while (answer.wait_for(std::chrono::milliseconds(deadline.poll_ms())) != std::future_status::ready) {
    if (deadline.cancelled()) throw FetchError(ErrorCode::kCancelled, "stopped", 0, false);
    if (deadline.passed()) {
      throw FetchError(ErrorCode::kResourceExhausted,
                       fmt::format("host {}: no address within the time limit", host), 0, true);
    }
  }
  return answer.get();
}

bool is_literal(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  const void* bytes = storage.ss_family == AF_INET ? static_cast<const void*>(&v4->sin_addr) : &v6->sin6_addr;
  return inet_ntop(storage.ss_family, bytes, out.data(), out.size()) != nullptr ? out.data()
                                                                                : "unknown address";
}

const char* non_public_reason(const Address& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    return find_block<4>(AF_INET, reinterpret_cast<const uint8_t*>(&v4->sin_addr), kIpv4Blocks);
  }
  if (address.storage.ss_family != AF_INET6) return "of an unknown kind";
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  const uint8_t* bytes = v6->sin6_addr.s6_addr;
  if (const char* reason = find_block<16>(AF_INET6, bytes, kIpv6Blocks)) return reason;
  return (bytes[0] & 0xe0) == 0x20 ? nullptr : "outside global unicast";
}

const char* non_public_reason(const std::string& address_text) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, address_text.c_str(), &v4->sin_addr) == 1) {
    address.storage.ss_family = AF_INET;
  } else {
    VL3_CHECK(inet_pton(AF_INET6, address_text.c_str(), &v6->sin6_addr) == 1, kInvalidArgument,
              "\"{}\" is not an address", address_text);
    address.storage.ss_family = AF_INET6;
  }
  return non_public_reason(address);
}

std::vector<Address> resolve_host(const std::string& host, uint16_t port, bool allow_private,
                                  const Deadline& deadline) {
  const Resolved resolved =
      is_literal(host) ? ask_resolver(host, port) : ask_resolver_until(host, port, deadline);
  if (resolved.status != 0 || resolved.addresses.empty()) {
    // EAI_AGAIN: the name server did not answer; it may the next time.
    throw FetchError(ErrorCode::kNotFound,
                     fmt::format("host {} is not known: {}", host, gai_strerror(resolved.status)), 0,
                     resolved.status == EAI_AGAIN);
  }
  std::vector<Address> allowed;
  for (const Address& address : resolved.addresses) {
    if (allowed.size() == kMaxAddresses) break;
    if (allow_private || non_public_reason(address) == nullptr) allowed.push_back(address);
  }
  if (allowed.empty()) {
    // Where a name leads inside is nothing that a client of a server should learn from its errors.
    const std::string why = is_literal(host) ? fmt::format("is an address that is {}",
                                                           non_public_reason(resolved.addresses.front()))
                                             : "has no address that is allowed";
    throw FetchError(ErrorCode::kInvalidArgument,
                     fmt::format("host {} {}: only public addresses may be fetched from", host, why), 0,
                     false);
  }
  return allowed;
}

}  // namespace vl3::net
