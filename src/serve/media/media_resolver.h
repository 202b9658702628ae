// From a reference in a request to its bytes, under the server's rules: data: URLs, http(s) from named
// domains, files below one folder; nothing else. Thread-safe.
#pragma once

#include <atomic>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/media/blob.h"

namespace vl3::serve {

struct MediaPolicy {
  /// Hosts that media may be fetched from: "example.com" itself, ".example.com" what lies below it, "*" any
  /// public host. Empty: none.
  std::vector<std::string> allowed_domains;
  std::filesystem::path allowed_local_path;  ///< file:// URLs may name files below it; empty: none
  uint64_t max_bytes = 512ull << 20;         ///< of one medium
  double fetch_timeout_s = 30;
  bool allow_private_addresses = false;  ///< tests only: loopback counts as public
  uint64_t uuid_bytes = 256ull << 20;    ///< of media kept for later references by their uuid
};

class MediaResolver {
 public:
  explicit MediaResolver(MediaPolicy policy);
  ~MediaResolver();

  /// @param scope  whose uuids count (the API key's digest).
  /// @throws Error(kInvalidArgument) for a reference that the policy does not allow, kNotFound, and what
  /// fetching
  ///   throws.
  std::shared_ptr<const Blob> resolve(const std::string& reference, const std::string& scope);

  /// Lets later requests name the medium "uuid:ID". @throws Error(kInvalidArgument) where the uuid stands for
  /// other content already.
  void remember(const std::string& scope, const std::string& uuid, std::shared_ptr<const Blob> blob);

  const MediaPolicy& policy() const { return policy_; }
  uint64_t fetched_bytes() const { return fetched_bytes_; }
  uint64_t refused() const { return refused_; }

 private:
  std::shared_ptr<const Blob> fetch(const std::string& url);
  std::shared_ptr<const Blob> open_file(const std::string& url) const;
  std::shared_ptr<const Blob> known(const std::string& scope, const std::string& uuid);
  bool allows(const std::string& host) const;

  MediaPolicy policy_;
  int root_ = -1;
  std::atomic<uint64_t> fetched_bytes_{0}, refused_{0};

  struct Known {
    std::string key;
    std::shared_ptr<const Blob> blob;
  };
  std::mutex mutex_;
  std::list<Known> known_;  // most recently used first
  std::map<std::string, std::list<Known>::iterator> by_key_;
  uint64_t known_bytes_ = 0;
};

/// A reference shortened for messages: the beginning of a data: URL, a URL without its query.
std::string short_reference(const std::string& reference);

}  // namespace vl3::serve
