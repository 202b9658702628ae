#include "serve/media/media_resolver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/ascii.h"
#include "core/check.h"
#include "core/descriptor.h"
#include "core/digest.h"
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

namespace {

// What a kept medium costs beside its content: the entry, its key, the blob's own fields.
constexpr uint64_t kEntryBytes = 4096;

uint64_t cost_of(const Blob& blob) { return blob.size() + kEntryBytes; }

// Of a fixed length, and no secret: the scope is an Authorization header.
std::string key_of(const std::string& scope, const std::string& uuid) {
  return sha256_hex(fmt::format("{}:{}{}", scope.size(), scope, uuid));
}

// "HTTPS" of "HTTPS://…"; "" without one of the length that ours have.
std::string_view scheme_of(std::string_view reference) {
  const size_t colon = reference.substr(0, 8).find(':');
  return colon == std::string_view::npos ? "" : reference.substr(0, colon);
}

std::string as_prefix(const std::filesystem::path& folder) {
  const std::string text = folder.string();
  return text.ends_with('/') ? text : text + "/";
}

bool may_open(const MediaAllowance& left) {
  return left.descriptors > 0 && Blob::open_descriptors() < Blob::max_descriptors();
}

void take(MediaAllowance& left, const Blob& blob, uint64_t held_bytes) {
  VL3_CHECK(held_bytes <= left.bytes, kResourceExhausted,
            "{}: the media of this request are too large together: {} bytes where {} are left", blob.name(),
            held_bytes, left.bytes);
  left.bytes -= held_bytes;
  if (blob.fd() >= 0 && left.descriptors > 0) --left.descriptors;
}

void check_cancelled(const MediaAllowance& left) {
  VL3_CHECK(!left.cancelled || !left.cancelled(), kCancelled, "cancelled");
}

// At most `size` bytes: a file that grows meanwhile, or has no end, is cut there.
void copy_file(int fd, uint64_t size, BlobWriter& writer, const std::string& name) {
  std::string buffer(std::min<uint64_t>(size, 256 << 10), '\0');
  for (uint64_t done = 0; done < size;) {
    const ssize_t got = ::read(fd, buffer.data(), std::min<uint64_t>(buffer.size(), size - done));
    if (got < 0 && errno == EINTR) continue;
    VL3_CHECK(got >= 0, kInvalidArgument, "{}: cannot be read: {}", name, std::strerror(errno));
    if (got == 0) return;
    writer.append({buffer.data(), static_cast<size_t>(got)});
    done += static_cast<uint64_t>(got);
  }
}

}  // namespace

MediaResolver::MediaResolver(MediaPolicy policy) : policy_(std::move(policy)) {
  policy_.request_bytes = std::max(policy_.request_bytes, policy_.max_bytes);
  for (std::string& domain : policy_.allowed_domains) {  // as net::Url writes hosts
    domain = ascii_lower(domain);
    if (domain.size() > 1 && domain.ends_with('.')) domain.pop_back();
  }
  const std::filesystem::path& folder = policy_.allowed_local_path;
  if (folder.empty()) return;
  std::error_code error;
  const auto canonical = std::filesystem::canonical(folder, error);
  VL3_CHECK(!error && std::filesystem::is_directory(canonical), kInvalidArgument,
            "--allowed-local-media-path {}: no such folder", folder.string());
  root_ = ::open(canonical.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  VL3_CHECK(root_ >= 0, kInvalidArgument, "--allowed-local-media-path {}: {}", canonical.string(),
            std::strerror(errno));
  // The name through a link is the one that the operator and the clients know. Only a name: what is opened
  // lies below root_ in either case.
  const auto written = std::filesystem::absolute(folder).lexically_normal();
  if (std::filesystem::equivalent(written, canonical, error)) root_names_.push_back(as_prefix(written));
  root_names_.push_back(as_prefix(canonical));
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

MediaAllowance MediaResolver::allowance(std::string scope, std::function<bool()> cancelled) const {
  return {.scope = std::move(scope),
          .cancelled = std::move(cancelled),
          .bytes = policy_.request_bytes,
          .descriptors = policy_.request_descriptors,
          .until = {}};
}

std::shared_ptr<const Blob> MediaResolver::fetch(const std::string& url, MediaAllowance& left) const {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  const std::string name = short_reference(url);
  if (!left.until) {
    left.until =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(2 * policy_.fetch_timeout_s));
  }
  const double left_s = Seconds(*left.until - Clock::now()).count();
  VL3_CHECK(left_s > 0, kResourceExhausted, "{}: fetching the media of this request took more than {} s",
            name, 2 * policy_.fetch_timeout_s);
  net::FetchOptions options;
  options.max_bytes = policy_.max_bytes;
  options.timeout_s = std::min(policy_.fetch_timeout_s, left_s);
  options.idle_timeout_s = std::min(10.0, options.timeout_s);
  options.max_redirects = 3;
  options.allow_private_addresses = policy_.allow_private_addresses;
  options.cancelled = left.cancelled;
  options.permit = [this](const net::Url& hop) {
    VL3_CHECK(
        allows(hop.host), kInvalidArgument, "{}: media are not fetched from {}; the server allows {}",
        hop.shown(), hop.host,
        policy_.allowed_domains.empty() ? "no remote media (--allowed-media-domains)" : "other domains");
  };
  BlobWriter writer(name, policy_.max_bytes, may_open(left));
  try {
    net::download(url, options, [&](std::string_view piece) {
      check_cancelled(left);  // net asks only while it waits, and a fast server never lets it
      writer.append(piece);
    });
  } catch (const net::FetchError& error) {
    // To the client an unreachable medium is a mistake in its request, whatever the other server said.
    throw Error(error.code() == ErrorCode::kNotFound ? ErrorCode::kInvalidArgument : error.code(),
                error.what());
  }
  auto blob = writer.finish();
  take(left, *blob, blob->size());
  return blob;
}

// Component by component below the folder, following no link: what the name means cannot change on the way.
int MediaResolver::open_below_root(const std::string& path, size_t begin, const std::string& name) const {
  int at = ::fcntl(root_, F_DUPFD_CLOEXEC, 0);
  VL3_CHECK(at >= 0, kResourceExhausted, "{}: {}", name, std::strerror(errno));
  while (true) {
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
    const bool exhausted = at < 0 && (error == EMFILE || error == ENFILE);
    VL3_CHECK(!exhausted, kResourceExhausted, "{}: {}", name, std::strerror(error));
    VL3_CHECK(at >= 0, kInvalidArgument, "{}: {}", name,
              error == ELOOP || error == ENOTDIR ? "leads through a link, which is not followed"
              : error == EINVAL                  ? "has \".\", \"..\" or \"//\" in its path"
                                                 : std::strerror(error));
    if (last) return at;
    begin = end + 1;
  }
}

std::shared_ptr<const Blob> MediaResolver::open_file(const std::string& url, MediaAllowance& left) const {
  VL3_CHECK(root_ >= 0, kInvalidArgument,
            "file: URLs are not read by this server (--allowed-local-media-path)");
  const std::string name = short_reference(url);
  const size_t slash = url.find('/', 7);
  const std::string host = ascii_lower(url.substr(7, slash == std::string::npos ? slash : slash - 7));
  VL3_CHECK(slash != std::string::npos && (host.empty() || host == "localhost"), kInvalidArgument,
            "{}: expected file:///path", name);
  const std::string path = media::percent_decode(std::string_view(url).substr(slash), name);
  const auto root = std::find_if(root_names_.begin(), root_names_.end(),
                                 [&](const std::string& prefix) { return path.starts_with(prefix); });
  const bool below = root != root_names_.end() && path.find('\0') == std::string::npos;
  VL3_CHECK(below, kInvalidArgument, "{}: lies outside the folder this server reads", name);

  Descriptor file(open_below_root(path, root->size(), name));
  struct stat status {};
  VL3_CHECK(::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode), kInvalidArgument, "{}: is no file",
            name);
  const auto size = static_cast<uint64_t>(status.st_size);
  VL3_CHECK(size <= policy_.max_bytes, kResourceExhausted, "{}: {} bytes, the limit is {}", name, size,
            policy_.max_bytes);
  // A descriptor is for files that would cost much memory; small ones are many in lists of pictures.
  if (size <= BlobWriter::kSmall || !may_open(left)) {
    VL3_CHECK(size <= left.bytes, kResourceExhausted, "{}: the media of this request are too large together",
              name);
    BlobWriter writer(name, policy_.max_bytes, false);
    copy_file(file.get(), size, writer, name);
    auto blob = writer.finish();
    take(left, *blob, blob->size());
    return blob;
  }
  const std::string identity = fmt::format("file:{}:{}:{}:{}.{}:{}.{}", status.st_dev, status.st_ino,
                                           status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                                           status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  auto blob = std::make_shared<const Blob>(file.release(), name, identity, size);
  take(left, *blob, 0);
  return blob;
}

std::shared_ptr<const Blob> MediaResolver::resolve(const std::string& reference, MediaAllowance& left) {
  check_cancelled(left);
  const std::string scheme(scheme_of(reference)), small = ascii_lower(scheme);
  if (scheme != small) return resolve(small + reference.substr(scheme.size()), left);
  if (reference.starts_with("data:")) {
    BlobWriter writer(short_reference(reference), policy_.max_bytes, may_open(left));
    writer.append(media::decode_data_url(reference, policy_.max_bytes));
    auto blob = writer.finish();
    take(left, *blob, blob->size());
    return blob;
  }
  if (net::is_web_address(reference)) return fetch(reference, left);
  if (reference.starts_with("file://")) return open_file(reference, left);
  if (reference.starts_with("uuid:")) return known(left.scope, reference.substr(5));
  VL3_FAIL(kInvalidArgument, "{}: a medium is a data:, http(s): or file: URL", short_reference(reference));
}

std::shared_ptr<const Blob> MediaResolver::resolve(const std::string& reference, const std::string& scope) {
  MediaAllowance left = allowance(scope);
  return resolve(reference, left);
}

std::shared_ptr<const Blob> MediaResolver::known(const std::string& scope, const std::string& uuid) {
  const std::lock_guard lock(mutex_);
  const auto it = by_key_.find(key_of(scope, uuid));
  VL3_CHECK(it != by_key_.end(), kNotFound, "uuid {}: this medium is not kept (any more); send it again",
            printable(uuid));
  known_.splice(known_.begin(), known_, it->second);
  return known_.front().blob;
}

void MediaResolver::remember(const std::string& scope, const std::string& uuid,
                             std::shared_ptr<const Blob> blob) {
  if (cost_of(*blob) > policy_.uuid_bytes) return;
  const std::string key = key_of(scope, uuid);
  const std::lock_guard lock(mutex_);
  if (const auto it = by_key_.find(key); it != by_key_.end()) {
    VL3_CHECK(it->second->blob->identity() == blob->identity(), kInvalidArgument,
              "uuid {}: stands for other content already", printable(uuid));
    known_.splice(known_.begin(), known_, it->second);
    return;
  }
  known_bytes_ += cost_of(*blob);
  known_descriptors_ += blob->fd() >= 0 ? 1 : 0;
  known_.push_front({key, std::move(blob)});
  by_key_[key] = known_.begin();
  while (known_bytes_ > policy_.uuid_bytes || known_.size() > policy_.uuid_entries ||
         known_descriptors_ > policy_.uuid_descriptors)
    forget_oldest();
}

void MediaResolver::forget_oldest() {
  const Known& oldest = known_.back();
  known_bytes_ -= cost_of(*oldest.blob);
  known_descriptors_ -= oldest.blob->fd() >= 0 ? 1 : 0;
  by_key_.erase(oldest.key);
  known_.pop_back();
}

}  // namespace vl3::serve
