// From a reference in a request to its bytes, under the server's rules: data: URLs, http(s) from named
// domains, files below one folder; nothing else. Thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/media/blob.h"

namespace vl3::serve {

struct MediaPolicy {
  /// Hosts that media may be fetched from: "example.com" itself, ".example.com" what lies below it, "*" any
  /// public host; in any case of letters. Empty: none.
  std::vector<std::string> allowed_domains;
  std::filesystem::path allowed_local_path;  ///< file:// URLs may name files below it; empty: none
  uint64_t max_bytes = 512ull << 20;         ///< of one medium
  double fetch_timeout_s = 30;               ///< of one medium; twice that for all of a request
  bool allow_private_addresses = false;      ///< tests only: loopback counts as public
  uint64_t request_bytes = 1ull << 30;       ///< that a request's media may hold; at least max_bytes
  size_t request_descriptors = 64;           ///< that a request's media may hold
  uint64_t uuid_bytes = 256ull << 20;        ///< of media kept for later references by their uuid
  size_t uuid_entries = 256;                 ///< the number of those
  size_t uuid_descriptors = 64;              ///< that those may hold
};

/// What the media of one request may still take. One thread at a time.
struct MediaAllowance {
  std::string scope;                ///< whose uuids count
  std::function<bool()> cancelled;  ///< asked before each medium and while one is fetched; may be empty
  uint64_t bytes = 0;
  size_t descriptors = 0;
  std::optional<std::chrono::steady_clock::time_point> until;  ///< set when the first one is fetched
};

class MediaResolver {
 public:
  /// @throws Error(kInvalidArgument) where the policy's folder is none.
  explicit MediaResolver(MediaPolicy policy);
  ~MediaResolver();
  MediaResolver(const MediaResolver&) = delete;
  MediaResolver& operator=(const MediaResolver&) = delete;

  /// For the media of one request.
  /// @param scope  whose uuids count: its Authorization header, of which only a digest is kept.
  MediaAllowance allowance(std::string scope, std::function<bool()> cancelled = nullptr) const;

  /// @throws Error(kInvalidArgument) for a reference that the policy does not allow, kNotFound,
  ///   kResourceExhausted past the allowance, kCancelled when it says so, and what fetching throws.
  std::shared_ptr<const Blob> resolve(const std::string& reference, MediaAllowance& left);
  /// A single medium.
  std::shared_ptr<const Blob> resolve(const std::string& reference, const std::string& scope);

  /// Lets later requests name the medium "uuid:ID". For media that were probed: junk would push others out.
  /// @throws Error(kInvalidArgument) where the uuid stands for other content already.
  void remember(const std::string& scope, const std::string& uuid, std::shared_ptr<const Blob> blob);

 private:
  std::shared_ptr<const Blob> fetch(const std::string& url, MediaAllowance& left) const;
  std::shared_ptr<const Blob> open_file(const std::string& url, MediaAllowance& left) const;
  int open_below_root(const std::string& path, size_t begin, const std::string& name) const;
  std::shared_ptr<const Blob> known(const std::string& scope, const std::string& uuid);
  bool allows(const std::string& host) const;

  MediaPolicy policy_;
  int root_ = -1;
  std::vector<std::string> root_names_;  // the folder as the operator named it and as it is, "/" behind

  struct Known {
    std::string key;
    std::shared_ptr<const Blob> blob;
  };
  void forget_oldest();
  std::mutex mutex_;
  std::list<Known> known_;  // most recently used first
  std::map<std::string, std::list<Known>::iterator> by_key_;
  uint64_t known_bytes_ = 0;
  size_t known_descriptors_ = 0;
};

/// A reference shortened for messages: the beginning of a data: URL, a URL without its query.
std::string short_reference(const std::string& reference);

}  // namespace vl3::serve
