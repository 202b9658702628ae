// The hub's protocol: which files a revision has, and what a file is (hash, size) before it is fetched.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/fetch.h"

namespace vl3::hub {

struct Listing {
  std::string commit;              ///< 40 hex digits
  std::vector<std::string> files;  ///< as listed; not yet checked to be safe as paths
};

struct FileInfo {
  std::string name;
  std::string etag;              ///< safe as a file name
  std::optional<uint64_t> size;  ///< bytes
};

struct ClientOptions {
  std::string endpoint;  ///< without trailing slash
  std::string token;
  bool allow_private_addresses = false;
  int attempts = 5;
  double backoff_s = 1;
  double idle_timeout_s = 30;
  double timeout_s = 86400;  ///< of one download
};

class HubClient {
 public:
  explicit HubClient(ClientOptions options) : options_(std::move(options)) {}

  /// GET /api/models/ID/revision/REV, with retries.
  Listing list(const std::string& repo_id, const std::string& revision) const;

  /// HEAD /ID/resolve/COMMIT/FILE, with retries: the hub answers for a large file with a redirect to where it
  /// is stored, and with the file's own hash and size in X-Linked-Etag and X-Linked-Size.
  FileInfo inspect(const std::string& repo_id, const std::string& commit, const std::string& file) const;

  /// GET of the same, one attempt, from byte `offset` on; see net::download.
  void get(const std::string& repo_id, const std::string& commit, const std::string& file, uint64_t offset,
           uint64_t max_bytes, const net::Sink& sink, const net::OnStart& on_start) const;

  /// Sleeps before attempt number `attempt` (2, 3, …): backoff_s, then twice as long each time, at most 30 s.
  void back_off(int attempt) const;
  int attempts() const { return options_.attempts; }

 private:
  std::string resolve_url(const std::string& repo_id, const std::string& commit,
                          const std::string& file) const;
  net::FetchOptions fetch_options(uint64_t max_bytes, double timeout_s) const;

  ClientOptions options_;
};

}  // namespace vl3::hub
