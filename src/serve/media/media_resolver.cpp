#include "serve/media/media_resolver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/printable.h"
#include "media/data_url.h"
#include "net/fetch.h"
#include "net/url.h"

namespace vl3::serve {

std::string short_reference(const std::string& reference) {
  const bool data = reference.starts_with("data:");
  std::string text = reference.substr(0, data ? reference.find(',') : reference.find('?'));
  if (text.size() > 80) {
    size_t end = 77;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + "...";
  }
  return printable(data ? text + ",..." : text);
}

MediaResolver::MediaResolver(MediaPolicy policy) : policy_(std::move(policy)) {
  if (policy_.allowed_local_path.empty()) return;
  std::error_code error;
  const auto canonical = std::filesystem::canonical(policy_.allowed_local_path, error);
  VL3_CHECK(!error && std::filesystem::is_directory(canonical), kInvalidArgument,
            "--allowed-local-media-path {}: no such folder", policy_.allowed_local_path.string());
  policy_.allowed_local_path = canonical;
  root_ = ::open(canonical.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  VL3_CHECK(root_ >= 0, kInvalidArgument, "--allowed-local-media-path {}: {}", canonical.string(),
            std::strerror(errno));
}

MediaResolver::~MediaResolver() {
  if (root_ >= 0) ::close(root_);
}

bool MediaResolver::allows(const std::string& host) const {
  return std::any_of(
      policy_.allowed_domains.begin(), policy_.allowed_domains.end(), [&](const std::string& domain) {
        if (domain == "*" || domain == host) return true;
        return domain.starts_with('.') && host.size() > domain.size() && host.ends_with(domain);
      });
}

std::shared_ptr<const Blob> MediaResolver::fetch(const std::string& url) {
  net::FetchOptions options;
  options.max_bytes = policy_.max_bytes;
  options.timeout_s = policy_.fetch_timeout_s;
  options.idle_timeout_s = std::min(10.0, policy_.fetch_timeout_s);
  options.max_redirects = 3;
  options.allow_private_addresses = policy_.allow_private_addresses;
  options.permit = [this](const net::Url& hop) {
    if (allows(hop.host)) return;
    ++refused_;
    VL3_FAIL(kInvalidArgument, "{}: media are not fetched from {}; the server allows {}", hop.shown(),
             hop.host,
             policy_.allowed_domains.empty() ? "no remote media (--allowed-media-domains)" : "other domains");
  };
  BlobWriter writer(short_reference(url), policy_.max_bytes);
  try {
    net::download(url, options, [&](std::string_view piece) {
      fetched_bytes_ += piece.size();
      writer.append(piece);
    });
  } catch (const net::FetchError& error) {
    // To the client an unreachable medium is a mistake in its request, whatever the other server said.
    throw Error(error.code() == ErrorCode::kNotFound ? ErrorCode::kInvalidArgument : error.code(),
                error.what());
  }
  return writer.finish();
}

// Component by component below the folder, following no link: what the name means cannot change on the way.
std::shared_ptr<const Blob> MediaResolver::open_file(const std::string& url) const {
  VL3_CHECK(root_ >= 0, kInvalidArgument,
            "file: URLs are not read by this server (--allowed-local-media-path)");
  const std::string name = short_reference(url);
  const size_t slash = url.find('/', 7);
  const std::string host = url.substr(7, slash == std::string::npos ? slash : slash - 7);
  VL3_CHECK(slash != std::string::npos && (host.empty() || host == "localhost"), kInvalidArgument,
            "{}: expected file:///path", name);
  const std::string path = media::percent_decode(std::string_view(url).substr(slash), name);
  const std::string prefix = policy_.allowed_local_path.string() + "/";
  const bool below = path.starts_with(prefix) && path.find('\0') == std::string::npos;
  VL3_CHECK(below, kInvalidArgument, "{}: lies outside the folder this server reads", name);
  int at = ::dup(root_);
  size_t begin = prefix.size();
  while (at >= 0 && begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string component = path.substr(begin, end - begin);
    const bool last = end == path.size();
    const bool plain = !component.empty() && component != "." && component != "..";
    const int next =
        !plain ? -1
               : ::openat(at, component.c_str(),
                          (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
    const int error = plain ? errno : EINVAL;
    ::close(at);
    at = next;
    VL3_CHECK(at >= 0, kInvalidArgument, "{}: {}", name,
              error == ELOOP || error == ENOTDIR ? "leads through a link, which is not followed"
              : error == EINVAL                  ? "has \".\", \"..\" or \"//\" in its path"
                                                 : std::strerror(error));
    begin = end + 1;
    if (last) break;
  }
  struct stat status {};
  const bool regular = at >= 0 && ::fstat(at, &status) == 0 && S_ISREG(status.st_mode);
  const bool fits = regular && static_cast<uint64_t>(status.st_size) <= policy_.max_bytes;
  if (!fits) {
    if (at >= 0) ::close(at);
    VL3_CHECK(regular, kInvalidArgument, "{}: is no file", name);
    VL3_FAIL(kResourceExhausted, "{}: {} bytes, the limit is {}", name, status.st_size, policy_.max_bytes);
  }
  const std::string identity = fmt::format("file:{}:{}:{}:{}.{}:{}.{}", status.st_dev, status.st_ino,
                                           status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                                           status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  return std::make_shared<const Blob>(at, name, identity, static_cast<uint64_t>(status.st_size));
}

std::shared_ptr<const Blob> MediaResolver::resolve(const std::string& reference, const std::string& scope) {
  if (reference.starts_with("data:")) {
    BlobWriter writer(short_reference(reference), policy_.max_bytes);
    writer.append(media::decode_data_url(reference, policy_.max_bytes));
    return writer.finish();
  }
  if (net::is_web_address(reference)) return fetch(reference);
  if (reference.starts_with("file://")) return open_file(reference);
  if (reference.starts_with("uuid:")) return known(scope, reference.substr(5));
  VL3_FAIL(kInvalidArgument, "{}: a medium is a data:, http(s): or file: URL", short_reference(reference));
}

std::shared_ptr<const Blob> MediaResolver::known(const std::string& scope, const std::string& uuid) {
  const std::lock_guard lock(mutex_);
  const auto it = by_key_.find(scope + "/" + uuid);
  VL3_CHECK(it != by_key_.end(), kNotFound, "uuid {}: this medium is not kept (any more); send it again",
            printable(uuid));
  known_.splice(known_.begin(), known_, it->second);
  return known_.front().blob;
}

void MediaResolver::remember(const std::string& scope, const std::string& uuid,
                             std::shared_ptr<const Blob> blob) {
  if (blob->size() > policy_.uuid_bytes) return;
  const std::string key = scope + "/" + uuid;
  const std::lock_guard lock(mutex_);
  if (const auto it = by_key_.find(key); it != by_key_.end()) {
    VL3_CHECK(it->second->blob->identity() == blob->identity(), kInvalidArgument,
              "uuid {}: stands for other content already", printable(uuid));
    known_.splice(known_.begin(), known_, it->second);
    return;
  }
  known_bytes_ += blob->size();
  known_.push_front({key, std::move(blob)});
  by_key_[key] = known_.begin();
  while (known_bytes_ > policy_.uuid_bytes) {
    known_bytes_ -= known_.back().blob->size();
    by_key_.erase(known_.back().key);
    known_.pop_back();
  }
}

}  // namespace vl3::serve
