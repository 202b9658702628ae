#include "serve/app.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <chrono>

#include "core/check.h"
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

int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

HttpResponse error_response(const ApiError& error) {
  return {.status = error.status(), .body = error_json(error)};
}

Json parsed_body(const HttpRequest& request) {
  try {
    return parse_json(request.body, "the body", kMaxBodyValues);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kResourceExhausted) throw to_api_error(error);
    throw ApiError(400, error.what());
  }
}

// "org%2Fname" -> "org/name"; what is no escape stays.
std::string percent_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 3], value, 16).ptr == &text[i + 3]) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool has_media(const Conversation& conversation) {
  return std::any_of(conversation.begin(), conversation.end(), [](const Message& message) {
    return std::any_of(message.parts.begin(), message.parts.end(),
                       [](const ContentPart& part) { return part.kind != PartKind::kText; });
  });
}

// Nobody decodes on for a client that is gone, or whose time is over.
media::FrameSource while_waited_for(media::FrameSource frames, std::weak_ptr<Exchange> waiting) {
  return [frames = std::move(frames), waiting = std::move(waiting)] {
    const auto exchange = waiting.lock();
    VL3_CHECK(exchange == nullptr || !exchange->abandoned(), kCancelled,
              "nobody waits for the answer any more");
    return frames();
  };
}

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
      gate_(options_.gate),
      media_pool_(std::max<size_t>(1, options_.prepare_threads)) {}

App::~App() { stop(); }

void App::stop() {
  // In the order that work passes them.
  parse_.join();
  media_pool_.join();
  plans_.join();
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

std::optional<HttpResponse> App::gate(HttpRequest& head) {
  std::optional<HttpResponse> refusal = gate_(head);
  if (refusal) metrics_.responded(refusal->status);
  return refusal;
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
  if (path.starts_with(kModelsPrefix)) return models(percent_decoded(path.substr(kModelsPrefix.size())));
  if (path == "/load") {
    const EngineStats stats = backend_.stats();
    return {.body = OrderedJson{{"server_load", stats.running + stats.waiting},
                                {"running", stats.running},
                                {"waiting", stats.waiting}}
                        .dump()};
  }
  if (path == "/metrics") {
    const EngineStats stats = backend_.stats();
    MediaWorker::Stats worker;
    if (worker_) worker = worker_->stats();
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_.text(stats, http_stats_ ? http_stats_() : HttpServerStats{},
                                  worker_ ? &worker : nullptr, stats.iteration_tokens)};
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
void App::attach_media(ApiRequest& api, const std::string& scope,
                       const std::shared_ptr<Exchange>& exchange) const {
  MediaAllowance left = media_.allowance(scope, [exchange] { return exchange->abandoned(); });
  auto uuids =
      std::make_shared<std::map<std::string, std::string>>();  // of media, once they could be described
  std::map<std::string, std::shared_ptr<const Blob>> blobs;
  const auto resolved = [&](const std::string& reference) {
    auto& blob = blobs[reference];
    if (blob == nullptr) blob = media_.resolve(reference, left);
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
      const std::string uuid = medium < api.media_uuids.size() ? api.media_uuids[medium] : "";
      // What was a long URL is now a short name, which the describer below knows.
      const std::string name = fmt::format("medium:{}", medium++);
      if (!uuid.empty() && list.size() == 1) (*uuids)[name] = uuid;
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
  api.job.describe = [parts, uuids, scope, &media = media_, worker = worker_, config = preprocess_,
                      limits = options_.media_limits, waiting = std::weak_ptr(exchange)](ContentPart& part) {
    VL3_CHECK(worker != nullptr, kUnsupported, "this server takes text only");
    const std::string name = part.frames.empty() ? part.media : part.frames.front();
    const auto& list = parts->at(name);
    preprocess::MediaEntry entry = worker->describe(part, list, config, limits);
    if (const auto uuid = uuids->find(name); uuid != uuids->end())
      media.remember(scope, uuid->second, list.front());
    entry.open = [open = std::move(entry.open), waiting] { return while_waited_for(open(), waiting); };
    return entry;
  };
}

void App::prepare(asio::thread_pool& pool, const std::shared_ptr<Exchange>& exchange, Work work) {
  if (preparing_.load() >= options_.max_preparing) {
    exchange->fail({429, "too many requests at once; try again later", "", "queue_full"});
    return;
  }
  ++preparing_;
  asio::post(pool, [this, exchange, work = std::move(work)] {
    try {
      if (draining_) throw ApiError(503, "shutting down");
      if (exchange->abandoned()) throw ApiError(499, "cancelled");
      work(exchange);
    } catch (const std::exception&) {
      exchange->fail(current_api_error());
    }
    --preparing_;
  });
}

void App::submit(HttpRequest request, const std::shared_ptr<Exchange>& exchange, bool chat) {
  auto api =
      std::make_shared<ApiRequest>(chat ? parse_chat_request(parsed_body(request), options_.limits)
                                        : parse_completion_request(parsed_body(request), options_.limits));
  if (options_.log_prompts)
    logger().info(
        "{}", OrderedJson{{"event", "prompt"}, {"id", request.header("x-request-id")}, {"body", request.body}}
                  .dump());
  request.body = std::string();
  check_model(api->model);
  warn_once(api->unknown);
  Job& job = api->job;
  const std::string kind = chat ? "chatcmpl-" : "cmpl-";
  job.id = kind + random_id();  // unique, whatever clients send
  std::string echo = api->echo && job.token_ids ? backend_.detokenize(*job.token_ids) : api->echo_text;
  ChatWriter writer({.kind = chat ? ChatWriter::Kind::kChat : ChatWriter::Kind::kCompletion,
                     .id = api->request_id.empty() ? job.id : kind + api->request_id,
                     .model = api->model.empty() ? model_name() : api->model,
                     .created = unix_now(),
                     .include_usage = api->include_usage,
                     .logprobs = job.top_logprobs >= 0,
                     .echo = std::move(echo),
                     .token_text = [this](int64_t id) { return backend_.token_text(id); }});
  exchange->arm(job, std::move(writer), api->stream, api->include_usage);
  const Work queue = [this, api,
                      scope = request.header("authorization")](const std::shared_ptr<Exchange>& waiting) {
    attach_media(*api, scope, waiting);
    backend_.submit(std::make_shared<Job>(std::move(api->job)), waiting->events());
    waiting->accepted();
  };
  // Text never waits for another request's media.
  if (!has_media(job.conversation)) return queue(exchange);
  prepare(media_pool_, exchange, queue);
}

void App::plan(const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  auto api = std::make_shared<ApiRequest>(parse_chat_request(parsed_body(request), options_.limits));
  check_model(api->model);
  warn_once(api->unknown);
  const bool decodes = api->measure_pruning || api->job.options.prune.max_tokens;
  const Work answer = [this, api](const std::shared_ptr<Exchange>& waiting) {
    waiting->respond({.body = dump(engine::to_json(backend_.plan(api->job, api->measure_pruning)))});
  };
  prepare(media_pool_, exchange,
          [this, api, decodes, answer,
           scope = request.header("authorization")](const std::shared_ptr<Exchange>& waiting) {
            attach_media(*api, scope, waiting);
            if (!decodes) return answer(waiting);
            prepare(plans_, waiting, answer);
          });
}

HttpResponse App::tokenize(const HttpRequest& request) {
  ApiRequest api = parse_tokenize_request(parsed_body(request));
  check_model(api.model);
  warn_once(api.unknown);
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
  if (request.method != "POST") {
    asio::post(light_, [this, request = std::move(request), responder] {
      HttpResponse response;
      try {
        response = quick(request);
      } catch (const std::exception&) {
        response = error_response(current_api_error());
      }
      metrics_.responded(response.status);
      responder->send(std::move(response));
    });
    return;
  }
  ExchangeOptions options{.request_id = request.header("x-request-id"),
                          .path = request.path,
                          .peer = request.peer,
                          .timeout_s = options_.request_timeout_s,
                          .keep_alive_s = options_.keep_alive_s};
  const auto exchange = std::make_shared<Exchange>(std::move(options), std::move(responder), light_, metrics_,
                                                   [this](const std::string& id) { backend_.cancel(id); });
  exchange->watch();
  // A body is shared, for a function can be copied.
  const auto body = std::make_shared<HttpRequest>(std::move(request));
  prepare(parse_, exchange, [this, body](const std::shared_ptr<Exchange>& waiting) {
    const std::string path = body->path;
    if (path == "/v1/chat/completions") return submit(std::move(*body), waiting, true);
    if (path == "/v1/completions") return submit(std::move(*body), waiting, false);
    if (path == "/v1/plan") return plan(*body, waiting);
    waiting->respond(path == "/tokenize" ? tokenize(*body) : detokenize(*body));
  });
}

}  // namespace vl3::serve
