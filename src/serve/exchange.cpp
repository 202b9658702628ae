#include "serve/exchange.h"

#include <boost/asio/post.hpp>
#include <cmath>

#include "core/log.h"
#include "core/seconds.h"

namespace vl3::serve {

namespace asio = boost::asio;

Exchange::Exchange(ExchangeOptions options, std::shared_ptr<Responder> responder, asio::thread_pool& pool,
                   Metrics& metrics, std::function<void(const std::string&)> cancel)
    : options_(std::move(options)),
      responder_(std::move(responder)),
      strand_(asio::make_strand(pool)),
      timer_(strand_),
      metrics_(metrics),
      cancel_(std::move(cancel)) {}

double Exchange::seconds() const { return seconds_since(start_); }

void Exchange::post(std::function<void(Exchange&)> action) {
  asio::post(strand_, [self = shared_from_this(), action = std::move(action)] {
    try {
      action(*self);
    } catch (const std::exception&) {
      self->fail_now(current_api_error());
    }
  });
}

void Exchange::arm(const Job& job, ChatWriter writer, bool stream, bool include_usage) {
  job_id_ = job.id;
  writer_.emplace(std::move(writer));
  n_ = job.n;
  max_tokens_ = job.options.generation.max_tokens;
  stream_ = stream;
  include_usage_ = include_usage;
  logprobs_ = job.top_logprobs >= 0;
  answers_.resize(static_cast<size_t>(n_));
  spoken_.resize(static_cast<size_t>(n_));
  for (int i = 0; i < n_; ++i) answers_[static_cast<size_t>(i)].choice = i;
  armed_ = true;
}

void Exchange::watch() {
  responder_->on_gone([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->give_up();
  });
  post([](Exchange& self) { self.tick(); });
}

// Where the job is not queued yet, accepted() cancels it.
void Exchange::give_up() {
  abandoned_ = true;
  if (armed_) cancel_(job_id_);
}

JobEvents Exchange::events() {
  const auto self = shared_from_this();
  JobEvents events;
  events.prefilled = [self](int64_t) { self->post([](Exchange& e) { e.open_stream(); }); };
  events.delta = [self](Delta delta) {
    self->post([delta = std::move(delta)](Exchange& e) mutable { e.on_delta(std::move(delta)); });
  };
  events.progress = [self](const std::string& stage, int64_t done, int64_t total, int64_t cached) {
    self->post([=](Exchange& e) {
      if (!e.stream_ || e.done_) return;
      e.open_stream();
      e.responder_->write(sse_event(ChatWriter::progress_chunk(stage, done, total, cached)));
      e.last_event_ = std::chrono::steady_clock::now();
    });
  };
  events.finished = [self](JobResult result) {
    self->post([result = std::move(result)](Exchange& e) mutable { e.on_finished(std::move(result)); });
  };
  return events;
}

void Exchange::accepted() {
  if (abandoned_) cancel_(job_id_);
  post([](Exchange& self) {
    self.accepted_ = true;
    self.open_stream();
  });
}

// A clock for the whole request, and for the comments that keep proxies from closing a silent stream.
void Exchange::tick() {
  if (done_) return;
  if (seconds() > options_.timeout_s && !timed_out_) {
    timed_out_ = true;
    give_up();
    if (!accepted_) return fail_now(timeout());
  }
  const auto now = std::chrono::steady_clock::now();
  if (opened_ && now - last_event_ > std::chrono::duration<double>(options_.keep_alive_s)) {
    responder_->write(":\n\n");
    last_event_ = now;
  }
  timer_.expires_after(std::chrono::milliseconds(500));
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->tick();
  });
}

void Exchange::open_stream() {
  if (!stream_ || opened_ || done_) return;
  opened_ = true;
  last_event_ = std::chrono::steady_clock::now();
  responder_->begin({.content_type = "text/event-stream; charset=utf-8",
                     .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}});
}

void Exchange::on_delta(Delta delta) {
  if (done_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!delta.tokens.empty() || !delta.text.empty()) {
    if (first_token_s_ == 0) first_token_s_ = seconds();
    if (last_token_.time_since_epoch().count() != 0 && n_ == 1)
      metrics_.token_gap(std::chrono::duration<double>(now - last_token_).count());
    last_token_ = now;
  }
  const auto i = static_cast<size_t>(delta.choice);
  if (!stream_) {
    Delta& answer = answers_[i];
    answer.text += delta.text;
    answer.tokens.insert(answer.tokens.end(), delta.tokens.begin(), delta.tokens.end());
    answer.finish_reason = delta.finish_reason;
    answer.stop_reason = delta.stop_reason;
    return;
  }
  open_stream();
  std::string events;
  if (!spoken_[i]) {
    spoken_[i] = true;
    const bool chat = job_id_.starts_with("chatcmpl-");
    if (chat) events += sse_event(writer_->opening_chunk(delta.choice));
  }
  if (!delta.text.empty() || (logprobs_ && !delta.tokens.empty()))
    events += sse_event(writer_->delta_chunk(delta));
  // An answer that ran out of time ends with the error, not as if it had stopped by itself.
  if (!delta.finish_reason.empty() && !timed_out_) events += sse_event(writer_->closing_chunk(delta));
  answers_[i].finish_reason = delta.finish_reason;
  if (events.empty()) return;
  last_event_ = now;
  responder_->write(std::move(events));
}

void Exchange::on_finished(JobResult result) {
  if (done_) return;
  RequestFigures figures;
  figures.prompt_tokens = result.receipt.prompt_tokens;
  figures.completion_tokens = result.receipt.completion_tokens;
  figures.n = n_;
  figures.max_tokens = max_tokens_;
  figures.queue_s = result.queue_seconds;
  figures.first_token_s = first_token_s_;
  figures.total_s = seconds();
  figures.prefill_s = std::max(0.0, first_token_s_ - result.queue_seconds);
  figures.decode_s = std::max(0.0, figures.total_s - first_token_s_);
  figures.finished_reason = result.error       ? "error"
                            : result.cancelled ? "abort"
                                               : answers_.front().finish_reason;
  if (figures.finished_reason != "length" && figures.finished_reason != "error" &&
      figures.finished_reason != "abort")
    figures.finished_reason = "stop";
  metrics_.finished(figures);
  if (result.error) return fail_now(to_api_error(*result.error));
  if (timed_out_) return fail_now(timeout());
  done_ = true;
  timer_.cancel();
  if (result.cancelled) {
    log(499, "cancelled", &result);
    responder_->end();
    return;
  }
  if (stream_) {
    open_stream();
    std::string events;
    if (include_usage_) events += sse_event(writer_->usage_chunk(result));
    responder_->write(events + "data: [DONE]\n\n");
    responder_->end();
  } else {
    responder_->send({.body = dump(writer_->whole(answers_, result))});
  }
  log(200, figures.finished_reason, &result);
}

ApiError Exchange::timeout() const {
  return {503, fmt::format("the answer was not whole after {} s", options_.timeout_s), "", "timeout"};
}

void Exchange::fail(const ApiError& error) {
  post([error](Exchange& self) { self.fail_now(error); });
}

void Exchange::fail_now(const ApiError& error) {
  if (done_) return;
  done_ = true;
  timer_.cancel();
  if (opened_) {
    responder_->write("data: " + error_json(error) + "\n\ndata: [DONE]\n\n");
    responder_->end();
  } else {
    HttpResponse response{.status = error.status() == 499 ? 503 : error.status(), .body = error_json(error)};
    if (response.status == 429 || response.status == 503) response.headers.emplace_back("Retry-After", "1");
    responder_->send(std::move(response));
  }
  log(error.status(), error.what(), nullptr);
}

void Exchange::respond(HttpResponse response) {
  post([response = std::move(response)](Exchange& self) mutable {
    if (self.done_) return;
    self.done_ = true;
    self.timer_.cancel();
    const int status = response.status;
    self.responder_->send(std::move(response));
    self.log(status, "", nullptr);
  });
}

// One JSON line a request; prompts and answers are not in it.
void Exchange::log(int status, const std::string& reason, const JobResult* result) {
  metrics_.responded(status);
  OrderedJson line = {{"event", "request"},    {"id", options_.request_id},
                      {"path", options_.path}, {"peer", options_.peer},
                      {"status", status},      {"seconds", std::round(seconds() * 1e4) / 1e4}};
  if (!reason.empty()) line["reason"] = reason;
  if (result != nullptr) {
    const Receipt& receipt = result->receipt;
    line["prompt_tokens"] = receipt.prompt_tokens;
    line["cached_tokens"] = receipt.cached_tokens;
    line["completion_tokens"] = receipt.completion_tokens;
    line["visual_tokens"] = receipt.visual_tokens_kept;
    line["first_token_s"] = std::round(first_token_s_ * 1e4) / 1e4;
  }
  logger().info("{}", dump(line));
}

}  // namespace vl3::serve
