// A hub on 127.0.0.1 that speaks the protocol of the real one: list of files, resolve with HEAD and GET,
// large files redirected to a storage server at another port, tokens, and faults on demand.
#pragma once

#include <openssl/evp.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "hub/hub.h"
#include "net/loopback.h"

namespace vl3::test {

inline std::string hex_digest(const char* algorithm, const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  size_t size = 0;
  VL3_CHECK(EVP_Q_digest(nullptr, algorithm, nullptr, bytes.data(), bytes.size(), digest, &size) == 1,
            kInternal, "");
  std::string text;
  for (size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

inline std::string sha256(const std::string& bytes) { return hex_digest("SHA256", bytes); }
inline std::string git_blob_sha1(const std::string& bytes) {
  return hex_digest("SHA1", fmt::format("blob {}", bytes.size()) + '\0' + bytes);
}

struct FakeFile {
  std::string content;
  bool large = false;     ///< in the storage, named by SHA-256; else served by the hub, named by git's SHA-1
  std::string etag = {};  ///< "" means the right one
  std::string size = {};  ///< X-Linked-Size or, "" means the right one
  std::string real_etag() const {
    return !etag.empty() ? etag : large ? sha256(content) : git_blob_sha1(content);
  }
};

class FakeHub {
 public:
  static constexpr const char* kRepo = "org/name";
  std::string commit = std::string(40, 'a');
  std::map<std::string, FakeFile> files;  ///< at `commit`, which "main" stands for
  std::string token;                      ///< "" asks for none
  bool ranges = true;                     ///< the storage honours Range
  std::deque<size_t> cuts;          ///< each storage GET that finds one here sends so many bytes, then cuts
  std::atomic<bool> stalls{false};  ///< where a GET would be cut it goes silent as long as this is set
  std::atomic<int> failures{0};     ///< so many requests get 503 first
  std::string redirect_to;          ///< instead of the storage
  std::string listing;              ///< instead of the right JSON

  // What was seen.
  std::atomic<int> storage_gets{0};
  std::atomic<int> heads{0};
  std::atomic<uint64_t> bytes_sent{0};
  std::mutex mutex;
  std::vector<std::string> storage_ranges;
  std::vector<std::string> storage_tokens;
  std::vector<std::string> asked;

  void start() {
    storage_.http.Get(R"(/store/(.+))",
                      [this](const auto& request, auto& response) { store(request, response); });
    storage_.start();
    hub_.http.set_pre_routing_handler(
        [this](const auto& request, auto& response) { return gate(request, response); });
    hub_.http.Get(R"(/api/models/org/name/revision/(.+))",
                  [this](const auto& request, auto& response) { list(request, response); });
    hub_.http.Get(R"(/org/name/resolve/([^/]+)/(.+))",
                  [this](const auto& request, auto& response) { resolve(request, response); });
    hub_.start();
  }
  std::string endpoint() const { return hub_.url(); }
  LoopbackServer& storage() { return storage_; }

  hub::PullOptions options(const std::filesystem::path& cache) const {
    hub::PullOptions options;
    options.endpoint = endpoint();
    options.cache_dir = cache;
    options.token = "";
    options.offline = false;
    options.backoff_s = 0.001;
    options.idle_timeout_s = 60;
    return options;
  }

 private:
  using Routed = httplib::Server::HandlerResponse;

  Routed gate(const httplib::Request& request, httplib::Response& response) {
    {
      const std::lock_guard lock(mutex);
      asked.push_back(request.method + " " + request.path);
    }
    if (failures > 0) {
      --failures;
      response.status = 503;
      return Routed::Handled;
    }
    if (!token.empty() && request.get_header_value("Authorization") != "Bearer " + token) {
      response.status = 401;
      return Routed::Handled;
    }
    return Routed::Unhandled;
  }

  void list(const httplib::Request& request, httplib::Response& response) {
    const std::string revision = request.matches[1];
    if (revision != "main" && revision != "refs/pr/1" && revision != "v1.0" && revision != commit) {
      response.status = 404;
      return;
    }
    nlohmann::json json = {{"id", kRepo}, {"sha", commit}, {"siblings", nlohmann::json::array()}};
    for (const auto& [name, file] : files) json["siblings"].push_back({{"rfilename", name}});
    response.set_content(listing.empty() ? json.dump() : listing, "application/json");
  }

  void resolve(const httplib::Request& request, httplib::Response& response) {
    const auto found = files.find(request.matches[2]);
    if ((request.matches[1] != commit && request.matches[1] != "main") || found == files.end()) {
      response.status = 404;
      return;
    }
    if (request.method == "HEAD") ++heads;
    const FakeFile& file = found->second;
    response.set_header("X-Repo-Commit", commit);
    if (!file.large) {
      response.set_header("ETag", fmt::format("\"{}\"", file.real_etag()));
      if (request.method == "GET") bytes_sent += file.content.size();
      response.set_content(file.content, "text/plain");
      return;
    }
    response.status = 302;
    response.set_header("X-Linked-Etag", fmt::format("\"{}\"", file.real_etag()));
    response.set_header("X-Linked-Size", file.size.empty() ? std::to_string(file.content.size()) : file.size);
    response.set_header("ETag", "\"of-the-redirect\"");
    response.set_header("Location", redirect_to.empty()
                                        ? storage_.url("/store/" + found->first + "?signature=s3cr3t")
                                        : redirect_to);
  }

  void store(const httplib::Request& request, httplib::Response& response) {
    const std::string& content = files.at(request.matches[1]).content;
    size_t cut = std::string::npos;
    {
      const std::lock_guard lock(mutex);
      storage_ranges.push_back(request.get_header_value("Range"));
      storage_tokens.push_back(request.get_header_value("Authorization"));
      if (!cuts.empty()) {
        cut = cuts.front();
        cuts.pop_front();
      }
    }
    ++storage_gets;
    if (!ranges) const_cast<httplib::Request&>(request).ranges.clear();
    const auto left = std::make_shared<size_t>(cut);
    response.set_content_provider(
        content.size(), "application/octet-stream",
        [this, &content, left](size_t offset, size_t length, httplib::DataSink& sink) {
          const size_t count = std::min({length, *left, size_t{16384}});
          while (count == 0 && stalls) std::this_thread::sleep_for(std::chrono::milliseconds(5));
          if (count == 0) return false;  // cuts the connection
          *left -= *left == std::string::npos ? 0 : count;
          bytes_sent += count;
          return sink.write(content.data() + offset, count);
        });
  }

  LoopbackServer hub_;
  LoopbackServer storage_;
};

/// Bytes that do not compress or repeat, the same for the same seed.
inline std::string noise(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  for (char& c : bytes) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return bytes;
}

/// A small checkpoint: two small files, a large one, one in a folder, and some that are not wanted.
inline void fill(FakeHub& hub) {
  hub.files["config.json"] = {.content = R"({"model_type": "x"})"};
  hub.files["chat template.jinja"] = {.content = "{{ messages }}"};
  hub.files["model-00001-of-00001.safetensors"] = {.content = noise(300000, 1), .large = true};
  hub.files["extra/deep/notes.txt"] = {.content = "deep"};
  hub.files["pytorch_model.bin"] = {.content = noise(1000, 2), .large = true};
  hub.files["picture.png"] = {.content = "png"};
  hub.files["README.md"] = {.content = "# readme"};
}

}  // namespace vl3::test
