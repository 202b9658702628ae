#include "net/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <vector>

#include "core/ascii.h"
#include "core/check.h"

namespace vl3::net {
namespace {

constexpr size_t kMaxUrl = 8000;
constexpr size_t kMaxHost = 253;
constexpr size_t kMaxLabel = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string hex_escape(unsigned char byte) { return fmt::format("%{:02X}", byte); }

void check_characters(std::string_view text) {
  VL3_CHECK(text.size() <= kMaxUrl, kInvalidArgument, "URL of {} bytes, the limit is {}", text.size(),
            kMaxUrl);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    VL3_CHECK(byte > 0x20 && byte != 0x7f, kInvalidArgument,
              "URL with the character 0x{:02x}: write blanks and control characters as %{:02X}", byte, byte);
    VL3_CHECK(c != '\\', kInvalidArgument, "URL with a backslash: write it as %5C, or use / between folders");
  }
}

/// "https://" → true, "http://" → false; removes it from `rest`.
bool take_scheme(std::string_view* rest) {
  const size_t end = rest->find("://");
  const std::string scheme = end == std::string_view::npos ? "" : ascii_lower(rest->substr(0, end));
  VL3_CHECK(scheme == "http" || scheme == "https", kInvalidArgument,
            "not a web address: a URL here starts with http:// or https://");
  rest->remove_prefix(end + 3);
  return scheme == "https";
}

uint16_t parse_port(std::string_view digits) {
  uint32_t port = 0;
  const bool plain =
      !digits.empty() && digits.size() <= 5 && std::all_of(digits.begin(), digits.end(), is_digit);
  if (plain) {
    for (const char c : digits) port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  VL3_CHECK(plain && port >= 1 && port <= 65535, kInvalidArgument,
            "URL with port \"{}\": it must be 1..65535", digits.substr(0, 20));
  return static_cast<uint16_t>(port);
}

std::string check_ipv6(std::string_view literal) {
  std::string text = ascii_lower(literal);
  in6_addr address{};
  VL3_CHECK(inet_pton(AF_INET6, text.c_str(), &address) == 1, kInvalidArgument,
            "URL with host [{}]: not an IPv6 address", text.substr(0, 60));
  return text;
}

std::string check_name(std::string_view written) {
  std::string host = ascii_lower(written);
  if (host.size() > 1 && host.back() == '.') host.pop_back();  // the DNS root, the same host
  VL3_CHECK(!host.empty() && host.size() <= kMaxHost, kInvalidArgument, "URL with a host of {} characters",
            host.size());
  size_t label = 0;
  size_t label_start = 0;
  for (size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    VL3_CHECK(is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.', kInvalidArgument,
              "URL with host \"{}\": only letters, digits, - _ and . (write other scripts as xn--…)", host);
    label = c == '.' ? 0 : label + 1;
    const bool empty_label = c == '.' && (i == 0 || host[i - 1] == '.');
    VL3_CHECK(!empty_label && label <= kMaxLabel, kInvalidArgument,
              "URL with host \"{}\": each part has 1 to {} characters", host, kMaxLabel);
    if (c == '.') label_start = i + 1;
  }
  VL3_CHECK(host.back() != '.', kInvalidArgument, "URL with host \"{}\": each part has 1 to {} characters",
            host, kMaxLabel);
  // A last part that is a number makes it an address for some resolvers (0177.1, 0x7f000001): only the plain
  // dotted form is taken, so that what is checked and what is meant cannot differ.
  const std::string_view last = std::string_view(host).substr(label_start);
  const bool numeric = std::all_of(last.begin(), last.end(), is_digit) ||
                       (last.size() >= 2 && last[0] == '0' && last[1] == 'x' &&
                        std::all_of(last.begin() + 2, last.end(), is_hex));
  in_addr address{};
  VL3_CHECK(!numeric || inet_pton(AF_INET, host.c_str(), &address) == 1, kInvalidArgument,
            "URL with host \"{}\": write an IPv4 address as four decimal numbers", host);
  return host;
}

/// Path and query as sent: fragment off, bytes from 0x80 on encoded, escapes checked.
std::string clean_target(std::string_view text) {
  text = text.substr(0, text.find('#'));
  std::string out(text.starts_with('/') ? 0 : 1, '/');
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    VL3_CHECK(text[i] != '%' || (i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])),
              kInvalidArgument, "URL with a broken % escape in its path");
    out += byte >= 0x80 ? hex_escape(byte) : std::string(1, text[i]);
  }
  return out;
}

/// RFC 3986, 5.2.4: "." and ".." parts of a path worked off; never above the root.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> parts;
  bool folder = false;  // the path ends in a folder: "/a/", "/a/.", "/a/.."
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    folder = part.empty() || part == "." || part == "..";
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != "." && (!part.empty() || end < path.size())) {
      parts.push_back(part);
    }
    begin = end + 1;
  }
  std::string out;
  for (const std::string_view part : parts) out.append(1, '/').append(part);
  return folder || out.empty() ? out + "/" : out;
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
  return port == (https ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

std::string Url::str() const { return (https ? "https://" : "http://") + authority() + target; }

std::string Url::shown() const {
  const std::string whole = str();
  return whole.substr(0, whole.find('?'));
}

Url parse_url(std::string_view text) {
  check_characters(text);
  Url url;
  url.https = take_scheme(&text);
  const size_t end = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, end);
  // Not echoed: what stands before the @ is a secret.
  VL3_CHECK(authority.find('@') == std::string_view::npos, kInvalidArgument,
            "URL with user:password@ before the host: leave it out");
  const bool literal = !authority.empty() && authority[0] == '[';
  const size_t host_end = literal ? authority.find(']') : std::min(authority.find(':'), authority.size());
  VL3_CHECK(host_end != std::string_view::npos, kInvalidArgument, "URL whose IPv6 host lacks its ]");
  url.host =
      literal ? check_ipv6(authority.substr(1, host_end - 1)) : check_name(authority.substr(0, host_end));
  const std::string_view rest = authority.substr(literal ? host_end + 1 : host_end);
  VL3_CHECK(rest.empty() || rest[0] == ':', kInvalidArgument,
            "URL with something other than a port after the host");
  url.port = rest.empty() ? (url.https ? 443 : 80) : parse_port(rest.substr(1));
  url.target = clean_target(text.substr(end));
  return url;
}

Url resolve_reference(const Url& base, std::string_view reference) {
  check_characters(reference);
  const size_t colon = reference.find(':');
  if (colon != std::string_view::npos && colon < reference.find_first_of("/?#")) return parse_url(reference);
  if (reference.starts_with("//"))
    return parse_url((base.https ? "https:" : "http:") + std::string(reference));
  Url url = base;
  if (reference.empty() || reference[0] == '#') return url;
  const size_t base_query = std::min(base.target.find('?'), base.target.size());
  const std::string base_path = base.target.substr(0, base_query);
  const size_t query = std::min(reference.find_first_of("?#"), reference.size());
  std::string path(reference.substr(0, query));
  if (path.empty()) {
    path = base_path;
  } else if (path[0] != '/') {
    path = remove_dot_segments(base_path.substr(0, base_path.rfind('/') + 1) + path);
  } else {
    path = remove_dot_segments(path);
  }
  url.target = clean_target(path + std::string(reference.substr(query)));
  return url;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
                       (c == '/' && keep_slash);
    out += plain ? std::string(1, c) : hex_escape(static_cast<unsigned char>(c));
  }
  return out;
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

}  // namespace vl3::net
