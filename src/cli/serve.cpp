// vl3 serve: the OpenAI API and the web page over HTTP.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "core/log.h"
#include "serve/batch/run_server.h"
#include "serve/json_log.h"

namespace vl3::cli {
namespace {

void bytes_option(CLI::App& command, const std::string& flag, std::function<void(uint64_t)> set,
                  const std::string& help) {
  command
      .add_option_function<std::string>(
          flag,
          [set = std::move(set)](const std::string& text) {
            try {
              set(parse_bytes(text));
            } catch (const Error& error) {
              throw CLI::ValidationError(error.what());
            }
          },
          help)
      ->option_text("SIZE");
}

std::string worker_program() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "vl3-media-worker").string();
}

std::vector<std::string> lines_of_file(const std::string& path) {
  std::vector<std::string> lines;
  const std::string text = read_file(path, 1 << 20);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  VL3_CHECK(!lines.empty(), kInvalidArgument, "--api-key-file {}: holds no key", path);
  return lines;
}

struct Serve {
  ModelFlags model;
  serve::ServeOptions options;
  std::string api_key_file;
  bool quiet = false;

  void add_listening(CLI::App& command) {
    auto& http = options.http;
    auto& app = options.app;
    command.add_option("--host", http.host, "Address to listen on (default: 127.0.0.1, this machine only)");
    command.add_option("--port", http.port, "Port (default: 8000; 0: any free one)");
    command.add_option("--api-key", app.gate.api_keys,
                       "Key that clients must send (repeatable; also $VL3_API_KEY)");
    command.add_option("--api-key-file", api_key_file, "File with a key a line");
    command.add_option("--served-model-name", app.served_model_names,
                       "Names clients may ask for (default: the folder's)");
    command.add_option(
        "--allowed-hosts", app.gate.allowed_hosts,
        "Host headers taken (default: any with a key; else addresses and this machine's names)");
    command.add_option("--allowed-origins", app.gate.allowed_origins,
                       "Origins of other web pages that may call, or *");
    command.add_flag_callback(
        "--no-page", [&app] { app.gate.page = false; }, "Do not serve the web page");
    command.add_option("--max-connections", http.max_connections, "Connections at once (default: 20000)");
    bytes_option(
        command, "--max-body", [&http](uint64_t bytes) { http.max_body_bytes = bytes; },
        "Largest request body (default: 256MiB)");
    command
        .add_option("--request-timeout", app.request_timeout_s,
                    "Seconds of a request as a whole (default: 600)")
        ->check(number_between(0, 1e6, false));
    command
        .add_option("--shutdown-timeout", options.shutdown_timeout_s,
                    "Seconds that running answers get after SIGTERM (default: 60)")
        ->check(number_between(0, 1e6));
    command.add_flag("--log-prompts", app.log_prompts, "Requests' bodies go into the log");
    command.add_flag("--quiet", quiet, "No log line for each request");
  }

  void add_media(CLI::App& command) {
    auto& media = options.media;
    auto& limits = options.app.media_limits;
    command.add_option(
        "--allowed-media-domains", media.allowed_domains,
        "Hosts that media may be fetched from: NAME, .NAME for what lies below it, * for any public "
        "one (default: none)");
    command.add_option("--allowed-local-media-path", media.allowed_local_path,
                       "Folder whose files file:// URLs may name (default: none)");
    command
        .add_option("--media-timeout", media.fetch_timeout_s, "Seconds for fetching a medium (default: 30)")
        ->check(number_between(0, 1e5, false));
    bytes_option(
        command, "--max-media-bytes", [&media](uint64_t bytes) { media.max_bytes = bytes; },
        "Largest medium (default: 512MiB)");
    command.add_option("--max-pixels", limits.max_pixels, "Of a picture or frame (default: 178956970)")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
    command.add_option("--max-video-seconds", limits.max_seconds, "Of a video (default: 86400)")
        ->check(number_between(0, 1e7, false));
    command
        .add_option("--decode-timeout", options.worker.timeout_s,
                    "Seconds without progress after which a decoder is given up (default: 60)")
        ->check(number_between(0, 1e5, false));
    bytes_option(
        command, "--decoder-memory", [this](uint64_t bytes) { options.worker.max_memory_bytes = bytes; },
        "Address space of one decoder (default: 4GiB)");
    command
        .add_option("--max-frames", options.app.limits.max_frames, "Most frames of a video (default: 768)")
        ->check(CLI::Range(int64_t{1}, kMaxVideoFrames));
    command
        .add_option("--limit-mm-per-prompt", options.app.limits.max_media,
                    "Images and videos of a request (default: 64)")
        ->check(CLI::Range(1, 4096));
  }

  void add_engine(CLI::App& command) {
    auto& batch = options.batch;
    bytes_option(
        command, "--kv-cache-bytes", [&batch](uint64_t bytes) { batch.kv_bytes = bytes; },
        "KV cache of all requests together (default: 1GiB)");
    command.add_option("--max-num-seqs", batch.max_sequences, "Answers made at once (default: 32)")
        ->check(CLI::Range(1, 4096));
    command.add_option("--max-num-batched-tokens", batch.step_rows, "Rows of a step (default: 256)")
        ->check(CLI::Range(64, 65'536));
    command
        .add_option("--encode-patches", batch.batch_patches,
                    "Patches of one pass of the encoder (default: 1024)")
        ->check(CLI::Range(1, 1 << 20));
    command.add_option("--max-queue", batch.max_queue, "Requests running and waiting (default: 256)")
        ->check(CLI::Range(1, 1 << 20));
    command
        .add_option("--default-max-tokens", options.app.limits.default_max_tokens,
                    "Answer tokens where a request does not say (default: 1024)")
        ->check(CLI::Range(1, 1 << 20));
    bytes_option(
        command, "--vision-cache-bytes",
        [&batch](uint64_t bytes) { batch.features.memory_bytes = static_cast<int64_t>(bytes); },
        "Visual tokens kept in memory (default: 512MiB)");
    command.add_option("--vision-cache-dir", batch.features.folder,
                       "Folder for visual tokens on disk (default: none)");
    bytes_option(
        command, "--vision-cache-disk-bytes", [&batch](uint64_t bytes) { batch.features.disk_bytes = bytes; },
        "Most of that folder (default: 4GiB)");
  }

  void run() {
    auto& app = options.app;
    if (const char* key = std::getenv("VL3_API_KEY"); key != nullptr && *key != '\0')
      app.gate.api_keys.emplace_back(key);
    if (!api_key_file.empty()) {
      for (std::string& key : lines_of_file(api_key_file)) app.gate.api_keys.push_back(std::move(key));
    }
    for (const std::string& key : app.gate.api_keys)
      VL3_CHECK(!key.empty(), kInvalidArgument, "an API key is empty");
    const std::string host = options.http.host;
    options.worker.program = worker_program();
    if (!quiet) logger().set_level(std::min(logger().level(), spdlog::level::info));
    serve::log_as_json();
    if (!serve::is_loopback(host) && app.gate.api_keys.empty())
      logger().warn("listening on {} without --api-key: whoever reaches this port may use it", host);
    auto runtime = model.load_runtime();
    serve::run_server(std::move(runtime), std::move(options), [&](uint16_t port) {
      const std::string url =
          fmt::format("http://{}:{}/", host.find(':') == std::string::npos ? host : "[" + host + "]", port);
      const std::string line = fmt::format("serving {} at {}", model.folder().string(), url);
      if (::isatty(STDERR_FILENO) != 0) {
        print_err("vl3: {}\n", line);
      } else {
        print_err("{}\n", OrderedJson{{"event", "ready"}, {"url", url}, {"message", line}}.dump());
      }
    });
  }
};

}  // namespace

void add_serve(CLI::App& app) {
  auto serve = std::make_shared<Serve>();
  CLI::App* command = app.add_subcommand("serve", "Serve the OpenAI API and a web page");
  serve->model.add(*command);
  serve->add_listening(*command);
  serve->add_media(*command);
  serve->add_engine(*command);
  command->callback([serve] { serve->run(); });
}

}  // namespace vl3::cli
