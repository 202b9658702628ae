// Which network addresses a URL from outside may lead to, and resolving a host to addresses that passed.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

#include "net/deadline.h"

namespace vl3::net {

/// An IPv4 or IPv6 address with a port, ready for connect(2).
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// "192.0.2.1" or "2001:db8::1", without the port.
  std::string text() const;
};

/// Why an address is not one of the public internet ("loopback", "private", …); nullptr when it is public.
/// Follows the IANA special-purpose registries; every IPv6 address outside 2000::/3 counts as not public, and
/// so do those that carry an IPv4 address inside (mapped, compatible, 6to4, Teredo, NAT64): they would hide a
/// private one.
const char* non_public_reason(const Address& address);

/// The same for an address in text, for tests and tables. @throws Error(kInvalidArgument) when it is none.
const char* non_public_reason(const std::string& address_text);

/// Resolves `host` (a name or a literal as Url gives it) within `deadline`; at most 8 addresses, in the
/// resolver's order. Without allow_private, only public ones are given.
/// @throws FetchError: kNotFound for an unknown host, kInvalidArgument when every address is refused (without
/// naming what a name led to),
///         kResourceExhausted past the deadline.
std::vector<Address> resolve_host(const std::string& host, uint16_t port, bool allow_private,
                                  const Deadline& deadline);

}  // namespace vl3::net
