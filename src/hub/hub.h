// Checkpoints from a model hub that speaks the Hugging Face protocol, in the cache layout its own clients
// use, so that a download is shared with them:
//
//   <cache>/models--ORG--NAME/blobs/<etag>                           the bytes, named by their hash
//   <cache>/models--ORG--NAME/snapshots/<commit>/<file>              relative link to ../../blobs/<etag>
//   <cache>/models--ORG--NAME/refs/<branch or tag>                   the commit it stood for
//   <cache>/.locks/models--ORG--NAME/<etag>.lock                     flock while a blob is being written
//
// <cache> is $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
// ~/.cache/huggingface/hub. The hub's address is $HF_ENDPOINT or PullOptions::endpoint; there is no built-in
// one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vl3::hub {

struct Progress {
  std::string file;          ///< name within the repository
  uint64_t done_bytes = 0;   ///< of this file, what an earlier run left included
  uint64_t total_bytes = 0;  ///< 0 when the hub does not say
};

struct PullOptions {
  std::string endpoint;             ///< "http(s)://host[:port][/path]"; "": $HF_ENDPOINT
  std::filesystem::path cache_dir;  ///< "": as above
  std::optional<std::string>
      token;                    ///< unset: $HF_TOKEN, else $HF_TOKEN_PATH or $HF_HOME/token; "" sends none
  std::optional<bool> offline;  ///< unset: $HF_HUB_OFFLINE
  /// Globs over whole names within the repository, "*" also matching "/". What a checkpoint needs, by
  /// default.
  std::vector<std::string> include = {"*.safetensors", "*.json", "*.jinja", "*.txt"};
  std::vector<std::string> exclude;
  /// Whether files may come from addresses that are not public. Unset: only if the endpoint itself is at one.
  std::optional<bool> allow_private_addresses;
  int attempts = 5;              ///< for each request, after time-outs, broken connections, 429 and 5xx
  double backoff_s = 1;          ///< before the second attempt; doubles, at most 30
  double idle_timeout_s = 30;    ///< without a byte
  double timeout_s = 86400;      ///< for one attempt at one file
  double lock_timeout_s = 3600;  ///< while another program downloads the same file
  uint64_t max_file_bytes = 1ull << 40;
  uint64_t max_total_bytes = 4ull << 40;
  std::function<void(const Progress&)>
      on_progress;  ///< may throw to stop; what is there is kept for the next run
};

struct PullResult {
  std::filesystem::path snapshot;  ///< folder with the files
  std::string commit;
  std::vector<std::string> files;  ///< names below snapshot; empty when offline
  uint64_t downloaded_bytes = 0;   ///< by this call; 0 when all was there
};

/// Downloads what is missing of a repository at a branch, tag or commit. A failed or stopped call leaves only
/// whole blobs and "<etag>.incomplete" files, from which the next call goes on; the reference is written
/// last.
/// @throws Error: kInvalidArgument for a malformed name or endpoint and for a missing or refused token;
/// kNotFound;
///         kCorrupt for data that does not have the hash the hub names, or hostile file names;
///         kResourceExhausted for a full disk, limits and time-outs; kUnsupported for a hub that cannot be
///         reached. No message holds the token.
PullResult pull(const std::string& repo_id, const std::string& revision, const PullOptions& options);

/// The snapshot folder of what was pulled before, by this library or another client.
/// @throws Error(kNotFound) naming the command that gets it and the revisions that are there;
///         Error(kInvalidArgument) for a malformed name.
std::filesystem::path find_cached(const std::string& repo_id, const std::string& revision = "main",
                                  const std::filesystem::path& cache_dir = {});

/// Whether the text has the form of a repository's name ("ORG/NAME").
bool is_repo_id(const std::string& text);

/// A checkpoint of the hub's as --model and recipes name it.
struct ModelName {
  std::string repo_id;
  std::string revision = "main";
};
/// "ORG/NAME" or "ORG/NAME@REVISION"; nullopt for text of another form. The revision is not checked here.
std::optional<ModelName> parse_model_name(const std::string& text);

}  // namespace vl3::hub
