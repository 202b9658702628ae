#include "hub/client.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/check.h"
#include "core/json.h"
#include "core/log.h"
#include "hub/names.h"
#include "net/url.h"

namespace vl3::hub {
namespace {

constexpr uint64_t kMaxListing = 32 << 20;
constexpr size_t kMaxFiles = 10000;
constexpr double kQuestionTimeout_s = 60;
constexpr int kMaxHops = 5;

/// Adds to an answer of 401, 403 or 404 what a user of a hub can do about it.
net::FetchError advised(const net::FetchError& error) {
  const char* advice = "";
  if (error.status() == 401) advice = " (set HF_TOKEN to an access token of the hub)";
  if (error.status() == 403) advice = " (the repository's terms may have to be accepted on the hub's page)";
  if (error.status() == 404)
    advice = " (check the name and the revision; a private repository needs HF_TOKEN)";
  return {error.code(), std::string(error.what()) + advice, error.status(), error.retryable()};
}

template <typename Action>
auto with_retries(const HubClient& client, Action&& action) {
  for (int attempt = 1;; ++attempt) {
    try {
      return action();
    } catch (const net::FetchError& error) {
      if (!error.retryable() || attempt >= client.attempts()) throw advised(error);
      logger().warn("{}; trying again", error.what());
      client.back_off(attempt + 1);
    }
  }
}

FileInfo to_info(const net::Reply& reply, const std::string& commit, const std::string& file) {
  const std::string answered = reply.header("x-repo-commit");
  VL3_CHECK(answered.empty() || answered == commit, kCorrupt,
            "{}: asked for commit {}, the hub answers for {}", file, commit, answered);
  const std::string linked = reply.header("x-linked-etag");
  FileInfo info;
  info.name = file;
  info.etag = clean_etag(linked.empty() ? reply.header("etag") : linked, file);
  const std::string linked_size = reply.header("x-linked-size");
  // A redirect's Content-Length is that of its own page.
  const std::string size =
      !linked_size.empty() || !reply.location.empty() ? linked_size : reply.header("content-length");
  info.size = net::parse_decimal(size);
  VL3_CHECK(size.empty() || info.size, kCorrupt, "{}: the hub gives the size \"{}\"", file,
            size.substr(0, 40));
  return info;
}

}  // namespace

void HubClient::back_off(int attempt) const {
  const double wait = std::min(30.0, options_.backoff_s * std::exp2(attempt - 2));
  std::this_thread::sleep_for(std::chrono::duration<double>(wait));
}

net::FetchOptions HubClient::fetch_options(uint64_t max_bytes, double timeout_s) const {
  net::FetchOptions options;
  options.max_bytes = max_bytes;
  options.timeout_s = std::min(timeout_s, options_.timeout_s);
  options.allow_private_addresses = options_.allow_private_addresses;
  options.max_redirects = kMaxHops;
  options.bearer_token = options_.token;
  options.idle_timeout_s = options_.idle_timeout_s;
  return options;
}

std::string HubClient::resolve_url(const std::string& repo_id, const std::string& commit,
                                   const std::string& file) const {
  return fmt::format("{}/{}/resolve/{}/{}", options_.endpoint, repo_id, commit,
                     net::percent_encode(file, true));
}

Listing HubClient::list(const std::string& repo_id, const std::string& revision) const {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}", options_.endpoint, repo_id,
                                      net::percent_encode(revision, false));
  const net::Fetched fetched =
      with_retries(*this, [&] { return net::fetch(url, fetch_options(kMaxListing, kQuestionTimeout_s)); });
  const std::string what = fmt::format("{} at {}: the hub's list of files", repo_id, revision);
  const Json json = parse_json(fetched.body, what);
  const JsonView view(json, what);
  Listing listing;
  listing.commit = view.string("sha");
  VL3_CHECK(is_commit(listing.commit), kCorrupt, "{}: \"sha\" is \"{}\", not a commit", what,
            listing.commit.substr(0, 60));
  const Json& siblings = view.at("siblings");
  VL3_CHECK(siblings.is_array() && siblings.size() <= kMaxFiles, kCorrupt,
            "{}: \"siblings\" must be an array of at most {} files", what, kMaxFiles);
  for (const Json& sibling : siblings) listing.files.push_back(JsonView(sibling, what).string("rfilename"));
  std::sort(listing.files.begin(), listing.files.end());
  listing.files.erase(std::unique(listing.files.begin(), listing.files.end()), listing.files.end());
  return listing;
}

FileInfo HubClient::inspect(const std::string& repo_id, const std::string& commit,
                            const std::string& file) const {
  std::string url = resolve_url(repo_id, commit, file);
  for (int hops = 0;; ++hops) {
    const net::Reply reply =
        with_retries(*this, [&] { return net::head(url, fetch_options(0, kQuestionTimeout_s)); });
    // A redirect within the hub (a renamed repository) is followed; the one to the storage is not: it is the
    // hub that knows the file's hash.
    const bool final = reply.location.empty() || !reply.header("x-linked-etag").empty();
    if (final || !net::parse_url(url).same_origin(net::parse_url(reply.location)))
      return to_info(reply, commit, file);
    VL3_CHECK(hops < kMaxHops, kResourceExhausted, "{}: more than {} redirects", file, kMaxHops);
    url = reply.location;
  }
}

void HubClient::get(const std::string& repo_id, const std::string& commit, const std::string& file,
                    uint64_t offset, uint64_t max_bytes, const net::Sink& sink,
                    const net::OnStart& on_start) const {
  try {
    net::download(resolve_url(repo_id, commit, file), fetch_options(max_bytes, options_.timeout_s), sink,
                  offset, on_start);
  } catch (const net::FetchError& error) {
    throw advised(error);
  }
}

}  // namespace vl3::hub
