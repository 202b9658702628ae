#include "serve/app.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <random>

#include "core/check.h"
#include "core/digest.h"
#include "core/log.h"
#include "core/printable.h"
#include "engine/report_json.h"
#include "serve/exchange.h"
#include "serve/openai/fields.h"
#include "serve/page.h"
#include "vl3/version.h"

namespace vl3::serve {

namespace asio = boost::asio;

namespace {

std::string random_hex() {
  static thread_local std::mt19937_64 generator{std::random_device{}()};
  return fmt::format("{:016x}{:016x}", generator(), generator());
}

int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool equal_in_constant_time(const std::string& a, const std::string& b) {
  const Sha256Bytes x = sha256(a), y = sha256(b);
  return CRYPTO_memcmp(x.data(), y.data(), x.size()) == 0;
}

HttpResponse error_response(const ApiError& error) {
  return {.status = error.status(), .body = error_json(error)};
}

Json parsed_body(const HttpRequest& request) {
  try {
    return parse_json(request.body, "the body");
  } catch (const Error& error) {
    throw ApiError(400, error.what());
  }
}

std::string without_port(const std::string& authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

struct Endpoint {
  const char* path;
  const char* method;
  bool needs_key;
};

constexpr Endpoint kEndpoints[] = {
    {"/health", "GET", false},         {"/ping", "GET", false},
    {"/version", "GET", true},         {"/load", "GET", true},
    {"/metrics", "GET", true},         {"/v1/models", "GET", true},
    {"/openapi.yaml", "GET", true},    {"/v1/chat/completions", "POST", true},
    {"/v1/completions", "POST", true}, {"/v1/plan", "POST", true},
    {"/tokenize", "POST", true},       {"/detokenize", "POST", true},
};

constexpr std::string_view kModels = "/v1/models/";

}  // namespace

App::App(AppOptions options, Backend& backend, MediaResolver& media, std::shared_ptr<MediaWorker> worker,
         weights::PreprocessConfig preprocess)
    : options_(std::move(options)),
      backend_(backend),
      media_(media),
      worker_(std::move(worker)),
      preprocess_(std::move(preprocess)),
      metrics_(model_name()),
      started_(unix_now()),
      heavy_(std::max<size_t>(1, options_.prepare_threads)) {}

App::~App() { stop(); }

void App::stop() {
  heavy_.join();
  light_.join();
}

std::string App::model_name() const {
  if (!options_.served_model_names.empty()) return options_.served_model_names.front();
  return std::filesystem::path(backend_.model().path).filename().string();
}

void App::check_model(const std::string& name) const {
  const auto& names = options_.served_model_names;
  if (name.empty() || names.empty() || std::find(names.begin(), names.end(), name) != names.end()) return;
  throw ApiError(
      404, fmt::format("the model \"{}\" is not served here; GET /v1/models says which is", printable(name)),
      "model", "model_not_found");
}

std::string App::error_body(int status, const std::string& message) { return error_json({status, message}); }

// ---- who may come in

bool App::has_key(const HttpRequest& head) const {
  if (options_.api_keys.empty()) return true;
  const std::string given = head.header("authorization");
  if (given.size() < 7 || given.substr(0, 7) != "Bearer ") return false;
  bool known = false;
  for (const std::string& key : options_.api_keys) known |= equal_in_constant_time(given.substr(7), key);
  return known;
}

std::optional<HttpResponse> App::gate(const HttpRequest& head) const {
  const std::string host = head.header("host");
  const bool known_host = options_.allowed_hosts.empty() ||
                          std::find(options_.allowed_hosts.begin(), options_.allowed_hosts.end(),
                                    without_port(host)) != options_.allowed_hosts.end();
  // A page elsewhere must not reach a server that trusts its machine: neither by a name that leads here
  // (Host), nor from its own address (Origin).
  if (!known_host)
    return error_response(
        {403, fmt::format("Host {} is not this server (--allowed-hosts)", printable(host))});
  const std::string origin = head.header("origin");
  const auto allowed = [&](const std::string& who) {
    const auto& list = options_.allowed_origins;
    return std::find(list.begin(), list.end(), who) != list.end();
  };
  if (!origin.empty() && origin != "http://" + host && origin != "https://" + host && !allowed(origin) &&
      !allowed("*"))
    return error_response({403, "pages of other hosts may not call this server (--allowed-origins)"});
  const bool get = head.method == "GET" || head.method == "HEAD";
  const Endpoint* found = nullptr;
  for (const Endpoint& endpoint : kEndpoints) {
    if (head.path == endpoint.path) found = &endpoint;
  }
  static constexpr Endpoint kModel = {"", "GET", true}, kPage = {"", "GET", false};
  if (found == nullptr && head.path.starts_with(kModels)) found = &kModel;
  if (found == nullptr && options_.page && find_page_file(head.path) != nullptr) found = &kPage;
  if (head.method == "OPTIONS" && !origin.empty() && found != nullptr)
    return HttpResponse{.status = 204,
                        .content_type = "",
                        .headers = {{"Access-Control-Allow-Origin", origin},
                                    {"Access-Control-Allow-Methods", "GET, POST"},
                                    {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                                    {"Vary", "Origin"}}};
  if ((found == nullptr || found->needs_key) && !has_key(head)) {
    HttpResponse refusal =
        error_response({401, "a valid API key is needed: Authorization: Bearer KEY", "", "invalid_api_key"});
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  }
  if (found == nullptr) return error_response({404, fmt::format("there is no {}", printable(head.path))});
  if (get != (std::string_view(found->method) == "GET") || (!get && head.method != "POST")) {
    HttpResponse refusal =
        error_response({405, fmt::format("{} takes {}", printable(head.path), found->method)});
    refusal.headers.emplace_back("Allow", found->method);
    return refusal;
  }
  const std::string type = head.header("content-type");
  if (!get && !type.starts_with("application/json"))
    return error_response(
        {415, fmt::format("Content-Type must be application/json, found \"{}\"", printable(type))});
  return std::nullopt;
}

// ---- quick endpoints

HttpResponse App::health() const {
  if (draining_) return error_response({503, "shutting down"});
  return {.body = "{\"status\":\"ok\"}"};
}

HttpResponse App::models(const std::string& id) const {
  const ModelInfo& info = backend_.model();
  OrderedJson list = OrderedJson::array();
  std::vector<std::string> names = options_.served_model_names;
  if (names.empty()) names.push_back(model_name());
  OrderedJson modalities = OrderedJson::array({"text"});
  if (info.takes_media) modalities = {"text", "image", "video"};
  for (const std::string& name : names) {
    if (!id.empty() && name != id) continue;
    list.push_back({{"id", name},
                    {"object", "model"},
                    {"created", started_},
                    {"owned_by", "vl3"},
                    {"root", names.front()},
                    {"parent", nullptr},
                    {"max_model_len", info.max_model_len},
                    {"permission", OrderedJson::array()},
                    {"architecture", {{"input_modalities", modalities}, {"output_modalities", {"text"}}}},
                    {"meta",
                     {{"n_vocab", info.vocab_size},
                      {"n_ctx_train", info.max_model_len},
                      {"n_embd", info.hidden_size},
                      {"n_params", info.num_parameters},
                      {"size", info.weight_bytes},
                      {"dtype", info.dtype},
                      {"notice", info.notice}}}});
  }
  if (!id.empty()) {
    if (list.empty())
      throw ApiError(404, fmt::format("there is no model {}", printable(id)), "model", "model_not_found");
    return {.body = list.front().dump()};
  }
  return {.body = OrderedJson{{"object", "list"}, {"data", list}}.dump()};
}

HttpResponse App::quick(const HttpRequest& request) const {
  const std::string& path = request.path;
  if (path == "/health" || path == "/ping") return health();
  if (path == "/version") return {.body = OrderedJson{{"version", kVersion}}.dump()};
  if (path == "/v1/models") return models("");
  if (path.starts_with(kModels)) return models(path.substr(kModels.size()));
  if (path == "/load") {
    const EngineStats stats = backend_.stats();
    return {.body = OrderedJson{{"server_load", stats.running + stats.waiting},
                                {"running", stats.running},
                                {"waiting", stats.waiting}}
                        .dump()};
  }
  if (path == "/metrics") {
    MediaWorker::Stats worker;
    if (worker_) worker = worker_->stats();
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_.text(backend_.stats(), http_stats_ ? http_stats_() : HttpServerStats{},
                                  worker_ ? &worker : nullptr)};
  }
  const PageFile* file = find_page_file(path);
  VL3_CHECK(file != nullptr, kInternal, "no endpoint {}", path);
  return {
      .content_type = file->content_type,
      .body = std::string(file->content),
      .headers = {
          {"Cache-Control", "no-cache"},
          {"Content-Security-Policy",
           "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; frame-ancestors 'none'; "
           "base-uri 'none'; form-action 'none'"},
          {"Referrer-Policy", "no-referrer"}}};
}

// ---- requests with a body

void App::warn_once(const std::vector<std::string>& unknown) {
  const std::lock_guard lock(warned_mutex_);
  for (const std::string& name : unknown) {
    if (warned_.size() < 1000 && warned_.insert(name).second)
      logger().warn("request field \"{}\" means nothing to this server and is passed over", printable(name));
  }
}

// Each medium is fetched now, and probed in the worker when the prompt is made.
void App::attach_media(ApiRequest& api, const std::string& scope) const {
  std::map<std::string, std::shared_ptr<const Blob>> blobs;
  const auto resolved = [&](const std::string& reference) {
    auto& blob = blobs[reference];
    if (blob == nullptr) blob = media_.resolve(reference, scope);
    return blob;
  };
  auto parts = std::make_shared<std::map<std::string, std::vector<std::shared_ptr<const Blob>>>>();
  size_t medium = 0;
  for (Message& message : api.job.conversation) {
    for (ContentPart& part : message.parts) {
      if (part.kind == PartKind::kText) continue;
      std::vector<std::shared_ptr<const Blob>> list;
      if (part.frames.empty()) list.push_back(resolved(part.media));
      for (const std::string& frame : part.frames) list.push_back(resolved(frame));
      if (medium < api.media_uuids.size() && !api.media_uuids[medium].empty() && list.size() == 1)
        media_.remember(scope, api.media_uuids[medium], list.front());
      // What was a long URL is now a short name, which the describer below knows.
      const std::string name = fmt::format("medium:{}", medium++);
      if (part.frames.empty()) {
        part.media = name;
      } else {
        for (std::string& frame : part.frames) frame = name;
      }
      const int64_t most = options_.limits.max_frames;
      if (part.frames.empty() && part.kind != PartKind::kImage && !part.max_frames &&
          !api.job.options.max_frames)
        part.max_frames = std::min(most, preprocess_.max_frames);
      (*parts)[name] = std::move(list);
    }
  }
  api.job.describe = [parts, worker = worker_, config = preprocess_,
                      limits = options_.media_limits](ContentPart& part) {
    VL3_CHECK(worker != nullptr, kUnsupported, "this server takes text only");
    const auto& list = parts->at(part.frames.empty() ? part.media : part.frames.front());
    return worker->describe(part, list, config, limits);
  };
}

void App::prepare(const std::shared_ptr<Exchange>& exchange, std::function<void()> work) {
  if (preparing_.load() >= options_.max_preparing) {
    exchange->fail({429, "too many requests at once; try again later", "", "queue_full"});
    return;
  }
  ++preparing_;
  asio::post(heavy_, [this, exchange, work = std::move(work)] {
    try {
      if (draining_) throw ApiError(503, "shutting down");
      work();
    } catch (const std::exception&) {
      exchange->fail(current_api_error());
    }
    --preparing_;
  });
}

void App::submit(HttpRequest request, const std::shared_ptr<Exchange>& exchange, bool chat) {
  ApiRequest api = chat ? parse_chat_request(parsed_body(request), options_.limits)
                        : parse_completion_request(parsed_body(request), options_.limits);
  if (options_.log_prompts)
    logger().info("{}", OrderedJson{{"event", "prompt"}, {"body", request.body}}.dump());
  request.body = std::string();
  check_model(api.model);
  warn_once(api.unknown);
  Job& job = api.job;
  job.id = (chat ? "chatcmpl-" : "cmpl-") + random_hex();
  const std::string key = request.header("authorization");
  ChatWriter writer({.kind = chat ? ChatWriter::Kind::kChat : ChatWriter::Kind::kCompletion,
                     .id = job.id,
                     .model = api.model.empty() ? model_name() : api.model,
                     .created = unix_now(),
                     .include_usage = api.include_usage,
                     .logprobs = job.top_logprobs >= 0,
                     .token_text = [this](int64_t id) { return backend_.token_text(id); }});
  exchange->arm(job, std::move(writer), api.stream, api.include_usage,
                api.echo ? job.prompt.value_or("") : "");
  attach_media(api, key);
  if (exchange->abandoned()) throw ApiError(503, "the request was given up before it began");
  backend_.submit(std::make_shared<Job>(std::move(job)), exchange->events());
  exchange->accepted();
}

HttpResponse App::plan(const HttpRequest& request) {
  ApiRequest api = parse_chat_request(parsed_body(request), options_.limits);
  check_model(api.model);
  warn_once(api.unknown);
  attach_media(api, request.header("authorization"));
  const std::lock_guard one_at_a_time(plan_mutex_);
  return {.body = dump(engine::to_json(backend_.plan(api.job, api.measure_pruning)))};
}

HttpResponse App::tokenize(const HttpRequest& request) {
  ApiRequest api = parse_tokenize_request(parsed_body(request), options_.limits);
  check_model(api.model);
  const std::vector<int64_t> ids = backend_.tokenize(api.job);
  return {.body = OrderedJson{
              {"count", ids.size()},
              {"max_model_len", backend_.model().max_model_len},
              {"tokens",
               ids}}.dump()};
}

HttpResponse App::detokenize(const HttpRequest& request) {
  const Json body = parsed_body(request);
  Fields fields(body, "");
  fields.require("tokens");
  const auto ids = fields.integers("tokens", 0, options_.limits.vocab_size - 1, 1 << 20);
  return {.body = dump(OrderedJson{{"prompt", backend_.detokenize(*ids)}})};
}

void App::handle(HttpRequest request, std::shared_ptr<Responder> responder) {
  const std::string given = request.header("x-request-id");
  ExchangeOptions options{.request_id = given.empty() || given.size() > 128 ? random_hex() : given,
                          .path = request.path,
                          .peer = request.peer,
                          .timeout_s = options_.request_timeout_s,
                          .keep_alive_s = options_.keep_alive_s};
  if (request.method != "POST") {
    asio::post(light_, [this, request = std::move(request), responder] {
      try {
        responder->send(quick(request));
      } catch (const std::exception&) {
        responder->send(error_response(current_api_error()));
      }
    });
    return;
  }
  const auto exchange = std::make_shared<Exchange>(std::move(options), std::move(responder), light_, metrics_,
                                                   [this](const std::string& id) { backend_.cancel(id); });
  prepare(exchange, [this, request = std::move(request), exchange]() mutable {
    const std::string path = request.path;
    if (path == "/v1/chat/completions") return submit(std::move(request), exchange, true);
    if (path == "/v1/completions") return submit(std::move(request), exchange, false);
    exchange->respond(path == "/v1/plan"    ? plan(request)
                      : path == "/tokenize" ? tokenize(request)
                                            : detokenize(request));
  });
}

}  // namespace vl3::serve
