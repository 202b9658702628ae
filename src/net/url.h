// http(s) URLs, parsed strictly: what is not plainly a web address is refused rather than guessed at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vl3::net {

struct Url {
  bool https = false;
  std::string host;    ///< lower case; a DNS name, dotted IPv4 or IPv6 text without brackets
  uint16_t port = 80;  ///< 443 for https unless written
  std::string target;  ///< path and query, starts with "/"; bytes from 0x80 on percent-encoded; no fragment

  /// "https://host[:port]/path?query"; the port only where it is not the scheme's own.
  std::string str() const;
  /// str() without the query, which may carry a signature: for messages.
  std::string shown() const;
  /// "host[:port]" with brackets around IPv6: the Host header.
  std::string authority() const;
  bool same_origin(const Url& other) const {
    return https == other.https && host == other.host && port == other.port;
  }
};

/// Whether a reference is for parse_url(), by its scheme alone, in lower case.
inline bool is_web_address(std::string_view reference) {
  return reference.starts_with("http://") || reference.starts_with("https://");
}

/// Accepts http and https with a DNS name, a dotted IPv4 address or a bracketed IPv6 literal, and a
/// port 1..65535.
/// @throws Error(kInvalidArgument) for anything else: other schemes, user:password@, blanks and control
/// characters,
///         broken percent escapes, hosts with other characters, numbers that some resolvers read as addresses
///         (0x7f.1, 2130706433), zone ids, more than 8000 bytes.
Url parse_url(std::string_view text);

/// `reference` as a Location header gives it, absolute or relative to `base` (RFC 3986, section 5).
/// @throws Error(kInvalidArgument) as parse_url.
Url resolve_reference(const Url& base, std::string_view reference);

/// Percent-encodes everything but letters, digits and "-._~" (and "/" where keep_slash).
std::string percent_encode(std::string_view text, bool keep_slash);

/// A number in a header: digits only, no sign, at most 18 of them. @returns nothing for other text.
std::optional<uint64_t> parse_decimal(std::string_view text);

}  // namespace vl3::net
