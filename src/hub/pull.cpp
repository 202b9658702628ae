#include <algorithm>

#include "core/check.h"
#include "hub/blob.h"
#include "hub/cache.h"
#include "hub/client.h"
#include "hub/environment.h"
#include "hub/hub.h"
#include "hub/names.h"
#include "net/fetch.h"
#include "net/url.h"

namespace vl3::hub {
namespace {

constexpr double kResolveTimeout_s = 30;

ClientOptions client_options(const PullOptions& options) {
  VL3_CHECK(options.attempts >= 1 && options.attempts <= 100, kInvalidArgument,
            "attempts is {}: it must be 1..100", options.attempts);
  VL3_CHECK(options.backoff_s >= 0, kInvalidArgument, "backoff_s is {}: it must not be negative",
            options.backoff_s);
  ClientOptions client;
  client.endpoint = options.endpoint.empty() ? default_endpoint() : options.endpoint;
  while (client.endpoint.ends_with('/')) client.endpoint.pop_back();
  const net::Url endpoint = net::parse_url(client.endpoint);
  VL3_CHECK(endpoint.str() == endpoint.shown() && client.endpoint.find('#') == std::string::npos,
            kInvalidArgument, "endpoint {}: it must have no ?query and no #part", endpoint.shown());
  client.token = options.token ? *options.token : default_token();
  client.allow_private_addresses =
      options.allow_private_addresses
          ? *options.allow_private_addresses
          : net::leads_to_private_address(client.endpoint, std::min(kResolveTimeout_s, options.timeout_s));
  client.attempts = options.attempts;
  client.backoff_s = options.backoff_s;
  client.idle_timeout_s = options.idle_timeout_s;
  client.timeout_s = options.timeout_s;
  return client;
}

bool wanted(const std::string& name, const PullOptions& options) {
  const auto matches = [&name](const std::string& pattern) { return glob_matches(pattern, name); };
  return std::any_of(options.include.begin(), options.include.end(), matches) &&
         std::none_of(options.exclude.begin(), options.exclude.end(), matches);
}

std::vector<FileInfo> inspect_wanted(const HubClient& client, const std::string& repo_id,
                                     const Listing& listing, const PullOptions& options) {
  std::vector<FileInfo> files;
  uint64_t total = 0;
  for (const std::string& name : listing.files) {
    if (!wanted(name, options)) continue;
    check_file_name(name);
    files.push_back(client.inspect(repo_id, listing.commit, name));
    const uint64_t size = files.back().size.value_or(0);
    VL3_CHECK(size <= options.max_file_bytes, kResourceExhausted,
              "{}: {} bytes, the limit is {} (max_file_bytes)", name, size, options.max_file_bytes);
    total += size;
    VL3_CHECK(total <= options.max_total_bytes, kResourceExhausted,
              "the files up to {} have {} bytes, the limit is {} (max_total_bytes)", name, total,
              options.max_total_bytes);
  }
  VL3_CHECK(!files.empty(), kNotFound, "none of the {} files at this revision is one of those asked for ({})",
            listing.files.size(), fmt::join(options.include, " "));
  return files;
}

/// Asks for the room of all that is missing before the first byte is fetched.
void check_room(const CachedRepo& repo, const std::vector<FileInfo>& files) {
  uint64_t missing = 0;
  for (const FileInfo& file : files) {
    if (blob_present(repo, file)) continue;
    std::error_code error;
    const uintmax_t have = std::filesystem::file_size(repo.incomplete(file.etag), error);
    const uint64_t size = file.size.value_or(0);
    missing += size - std::min<uint64_t>(size, error ? 0 : have);
  }
  const uint64_t free = repo.free_bytes();
  VL3_CHECK(missing <= free, kResourceExhausted,
            "{} bytes are to be downloaded and the cache's disk has {} free: make room, or set HF_HUB_CACHE",
            missing, free);
}

PullResult pull_from_hub(const std::string& repo_id, const std::string& revision, const PullOptions& options,
                         const std::filesystem::path& cache) {
  const HubClient client(client_options(options));
  const Listing listing = client.list(repo_id, revision);
  VL3_CHECK(!is_commit(revision) || revision == listing.commit, kCorrupt,
            "asked for commit {}, the hub answers for {}", revision, listing.commit);
  const std::vector<FileInfo> files = inspect_wanted(client, repo_id, listing, options);

  const CachedRepo repo(cache, repo_id);
  repo.make_folders();
  check_room(repo, files);
  PullResult result;
  result.commit = listing.commit;
  result.snapshot = repo.snapshot(listing.commit);
  for (const FileInfo& file : files) {
    result.downloaded_bytes += ensure_blob(client, repo,
                                           {.repo_id = repo_id,
                                            .commit = listing.commit,
                                            .file = file,
                                            .max_bytes = options.max_file_bytes,
                                            .lock_timeout_s = options.lock_timeout_s,
                                            .on_progress = options.on_progress});
    result.files.push_back(file.name);
  }
  // Names come last, so that a snapshot is seen whole or not at all by those who look it up by branch.
  for (const FileInfo& file : files) repo.link(listing.commit, file.name, file.etag);
  repo.write_ref(revision, listing.commit);
  return result;
}

}  // namespace

PullResult pull(const std::string& repo_id, const std::string& revision, const PullOptions& options) {
  check_repo_id(repo_id);
  check_revision(revision);
  const std::filesystem::path cache = options.cache_dir.empty() ? default_cache_dir() : options.cache_dir;
  const std::string context = fmt::format("pulling {}", repo_id);
  try {
    if (options.offline.value_or(offline_by_environment())) {
      PullResult result;
      result.snapshot = find_cached(repo_id, revision, cache);
      result.commit = result.snapshot.filename().string();
      return result;
    }
    return pull_from_hub(repo_id, revision, options, cache);
  } catch (const Error& error) {
    throw error.with_context(context);
  }
}

}  // namespace vl3::hub
