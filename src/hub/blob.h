// Getting one file's bytes into blobs/<etag>: locked, resumable, verified, whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hub/cache.h"
#include "hub/client.h"
#include "hub/hub.h"

namespace vl3::hub {

struct BlobRequest {
  std::string repo_id;
  std::string commit;
  FileInfo file;
  uint64_t max_bytes = 0;
  double lock_timeout_s = 3600;
  std::function<void(const Progress&)> on_progress;
};

/// The blob is there and has its size: it was verified when it got its name.
bool blob_present(const CachedRepo& repo, const FileInfo& file);

/// Makes the blob present. @returns bytes received over the network. @throws Error as hub::pull.
uint64_t ensure_blob(const HubClient& client, const CachedRepo& repo, const BlobRequest& request);

}  // namespace vl3::hub
