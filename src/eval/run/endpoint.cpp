#include "eval/run/endpoint.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

#include "core/check.h"
#include "core/file.h"
#include "core/seconds.h"
#include "eval/data/files.h"
#include "eval/run/append_file.h"
#include "eval/run/conversation.h"
#include "media/source.h"
#include "net/fetch.h"

namespace vl3::eval {
namespace {

constexpr uint64_t kMaxReply = 16 << 20;
constexpr int kMostFailures = 10;  // one after the other: the server is gone

OrderedJson media_entry(const char* type, const std::string& url) {
  return {{"type", type}, {type, {{"url", url}}}};
}

std::string inlined(const std::string& reference) {
  if (reference.starts_with("data:")) return reference;
  return data_url(*media::read_media(media::open_media(reference)));
}

void add_part(OrderedJson& content, const ContentPart& part) {
  if (part.kind == PartKind::kText) {
    content.push_back({{"type", "text"}, {"text", part.text}});
  } else if (part.kind != PartKind::kVideo) {
    content.push_back(media_entry("image_url", inlined(part.media)));
  } else if (part.frames.empty()) {
    VL3_CHECK(!part.start && !part.end, kUnsupported,
              "a part of a video cannot be sent as a file; use --video-as frames");
    content.push_back(media_entry("video_url", inlined(part.media)));
  } else {
    for (size_t i = 0; i < part.frames.size(); ++i) {
      content.push_back({{"type", "text"}, {"text", fmt::format("Time {:.1f}s:", part.timestamps[i])}});
      content.push_back(media_entry("image_url", part.frames[i]));
    }
  }
}

/// The key is refused, or the user has stopped the run.
bool ends_everything(const net::FetchError& error) {
  return error.status() == 401 || error.status() == 403 || error.code() == ErrorCode::kCancelled;
}

class EndpointAnswerer : public Answerer {
 public:
  EndpointAnswerer(std::shared_ptr<const ChatEndpoint> endpoint, VideoAs video, int at_once,
                   int64_t max_tokens)
      : endpoint_(std::move(endpoint)), video_(video), at_once_(at_once), max_tokens_(max_tokens) {}

  OrderedJson identity() const override {
    return {{"endpoint", endpoint_->url()},
            {"model", endpoint_->model()},
            {"video_as", video_ == VideoAs::kFrames ? "frames" : "url"},
            {"max_tokens", max_tokens_}};
  }
  int at_once() const override { return at_once_; }
  bool wants_pictures() const override { return video_ == VideoAs::kFrames; }
  std::unique_ptr<AnswerSession> session() override;

  Reply ask(const Conversation& conversation) {
    const OrderedJson request{
        {"messages", endpoint_messages(conversation)}, {"temperature", 0}, {"max_tokens", max_tokens_}};
    try {
      Reply reply = endpoint_->complete(request);
      failures_ = 0;
      return reply;
    } catch (const net::FetchError& error) {
      // A refused question is its own failure; a server that cannot be reached is everyone's.
      if (ends_everything(error)) throw FatalError(error);
      if (error.retryable() && ++failures_ >= kMostFailures) throw FatalError(error);
      throw;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled) throw FatalError(error);
      throw;
    }
  }

 private:
  std::shared_ptr<const ChatEndpoint> endpoint_;
  VideoAs video_;
  int at_once_;
  int64_t max_tokens_;
  std::atomic<int> failures_{0};
};

class EndpointSession : public AnswerSession {
 public:
  explicit EndpointSession(EndpointAnswerer& answerer) : answerer_(answerer) {}
  Reply ask(const Conversation& conversation) override { return answerer_.ask(conversation); }

 private:
  EndpointAnswerer& answerer_;
};

std::unique_ptr<AnswerSession> EndpointAnswerer::session() {
  return std::make_unique<EndpointSession>(*this);
}

class EndpointJudge : public Judge {
 public:
  EndpointJudge(std::shared_ptr<const ChatEndpoint> endpoint, const std::filesystem::path& cache, int at_once)
      : endpoint_(std::move(endpoint)), at_once_(at_once), file_(cache) {
    for (const std::string& line : file_.lines()) {
      const Json entry = parse_json(line, cache.string());
      const JsonView view(entry, cache.string());
      known_[view.string("request")] = view.string("reply");
    }
  }

  int at_once() const override { return at_once_; }

 private:
  std::string reply_to(const JudgeRequest& request) override {
    OrderedJson body{{"messages", OrderedJson::array()},
                     {"temperature", request.temperature},
                     {"max_tokens", request.max_tokens}};
    if (request.top_p) body["top_p"] = *request.top_p;
    if (!request.system.empty())
      body["messages"].push_back({{"role", "system"}, {"content", request.system}});
    body["messages"].push_back({{"role", "user"}, {"content", request.user}});
    const std::string key =
        endpoint_->model() + " " + body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = known_.find(key); found != known_.end()) return found->second;
    }
    const std::string reply = complete(body);
    if (request.usable && !request.usable(reply)) return reply;
    const std::lock_guard lock(mutex_);
    known_[key] = reply;
    file_.append(OrderedJson{{"request", key}, {"reply", reply}});
    return reply;
  }

  std::string complete(const OrderedJson& body) const {
    try {
      return endpoint_->complete(body).text;
    } catch (const net::FetchError& error) {
      if (ends_everything(error) || error.retryable())
        throw FatalError(error.with_context("asking the judge"));
      throw NotJudged(error.code(), error.what());
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCancelled) throw FatalError(error);
      throw NotJudged(error.code(), error.what());
    }
  }

  std::shared_ptr<const ChatEndpoint> endpoint_;
  int at_once_;
  std::mutex mutex_;
  AppendFile file_;
  std::map<std::string, std::string> known_;
};

}  // namespace

ChatEndpoint::ChatEndpoint(EndpointOptions options) : options_(std::move(options)) {
  while (options_.url.ends_with('/')) options_.url.pop_back();
  std::string models;
  try {
    models = exchange("/models", nullptr, 1);
  } catch (const net::FetchError& error) {
    // Some servers have no list.
    if (options_.model.empty() || error.status() == 0 || ends_everything(error)) throw;
  }
  if (!options_.model.empty()) return;
  const Json list = parse_json(models, options_.url + "/models");
  const JsonView view(list, options_.url + "/models");
  VL3_CHECK(view.at("data").is_array() && !view.at("data").empty(), kCorrupt, "{}: lists no model; name one",
            view.where());
  options_.model = JsonView(view.at("data")[0], view.where()).string("id");
}

std::string ChatEndpoint::exchange(const std::string& path, const std::string* body, int attempts) const {
  net::FetchOptions fetching;
  fetching.max_bytes = kMaxReply;
  fetching.timeout_s = fetching.idle_timeout_s = options_.timeout_s;
  fetching.allow_private_addresses = true;  // the user named the server
  fetching.bearer_token = options_.api_key;
  fetching.cancelled = options_.cancelled;
  const std::string url = options_.url + path;
  const auto start = std::chrono::steady_clock::now();
  for (int attempt = 1;; ++attempt) {
    double pause_s = std::min(30.0, options_.backoff_s * std::exp2(attempt - 1));
    try {
      return body == nullptr ? net::fetch(url, fetching).body
                             : net::post(url, "application/json", *body, fetching).body;
    } catch (const net::FetchError& error) {
      const double waited_s = seconds_since(start);
      const bool again = error.status() == 429 ? waited_s < options_.busy_s : attempt < attempts;
      if (!error.retryable() || !again) throw;
      pause_s = std::min(error.retry_after_s().value_or(pause_s), options_.busy_s);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(pause_s);
    while (std::chrono::steady_clock::now() < until) {
      VL3_CHECK(!options_.cancelled || !options_.cancelled(), kCancelled, "stopped");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

Reply ChatEndpoint::complete(OrderedJson request) const {
  VL3_CHECK(!options_.cancelled || !options_.cancelled(), kCancelled, "stopped");
  request["model"] = options_.model;
  const std::string body = request.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  const std::string where = options_.url + "/chat/completions";
  const Json json = parse_json(exchange("/chat/completions", &body, options_.attempts), where);
  const JsonView view(json, where);
  const bool answered = view.has("choices") && view.at("choices").is_array() && !view.at("choices").empty();
  VL3_CHECK(answered, kCorrupt, "{}: a reply without choices", where);
  const JsonView choice(view.at("choices")[0], where);
  Reply reply;
  reply.text = choice.object("message").string_or("content", "");
  reply.finish_reason = choice.string_or("finish_reason", "");
  if (view.has("usage")) {
    const JsonView usage = view.object("usage");
    reply.prompt_tokens = usage.integer_or("prompt_tokens", 0);
    reply.completion_tokens = usage.integer_or("completion_tokens", 0);
  }
  return reply;
}

OrderedJson endpoint_messages(const Conversation& conversation) {
  OrderedJson messages = OrderedJson::array();
  for (const Message& message : conversation) {
    OrderedJson content = OrderedJson::array();
    for (const ContentPart& part : message.parts) add_part(content, part);
    messages.push_back({{"role", role_name(message.role)}, {"content", content}});
  }
  return messages;
}

std::unique_ptr<Answerer> endpoint_answerer(std::shared_ptr<const ChatEndpoint> endpoint, VideoAs video,
                                            int at_once, int64_t max_tokens) {
  return std::make_unique<EndpointAnswerer>(std::move(endpoint), video, at_once, max_tokens);
}

std::unique_ptr<Judge> endpoint_judge(std::shared_ptr<const ChatEndpoint> endpoint,
                                      const std::filesystem::path& cache, int at_once) {
  return std::make_unique<EndpointJudge>(std::move(endpoint), cache, at_once);
}

}  // namespace vl3::eval
