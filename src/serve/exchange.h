// One generating request on its way: events of its job to the response, whole or streamed. Internal to
// serve/.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/http/server.h"
#include "serve/metrics.h"
#include "serve/openai/api_error.h"
#include "serve/openai/chat_response.h"
#include "serve/queue/job.h"

namespace vl3::serve {

struct ExchangeOptions {
  std::string request_id;  ///< echoed as X-Request-Id
  std::string path;
  std::string peer;
  double timeout_s = 600;
  double keep_alive_s = 15;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(ExchangeOptions options, std::shared_ptr<Responder> responder, boost::asio::thread_pool& pool,
           Metrics& metrics, std::function<void(const std::string& id)> cancel);

  /// The job is about to be submitted; from now on a client that goes away cancels it.
  void arm(const Job& job, ChatWriter writer, bool stream, bool include_usage, std::string echo);
  JobEvents events();
  /// The job was queued: a stream's head may go out.
  void accepted();
  /// Instead of an answer, or in the middle of a stream. Any thread.
  void fail(const ApiError& error);
  /// Answers at once (endpoints that generate nothing). Any thread.
  void respond(HttpResponse response);
  /// The client went away, or time is over, before the job was submitted.
  bool abandoned() const { return abandoned_; }

 private:
  void post(std::function<void(Exchange&)> action);
  void open_stream();
  void on_delta(Delta delta);
  void on_finished(JobResult result);
  void fail_now(const ApiError& error);
  void tick();
  void log(int status, const std::string& reason, const JobResult* result);
  double seconds() const;

  ExchangeOptions options_;
  std::shared_ptr<Responder> responder_;
  boost::asio::strand<boost::asio::thread_pool::executor_type> strand_;
  boost::asio::steady_timer timer_;
  Metrics& metrics_;
  std::function<void(const std::string&)> cancel_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> timed_out_{false};

  // From arm() on; then used on the strand only.
  std::string job_id_, echo_;
  std::optional<ChatWriter> writer_;
  int n_ = 1;
  int64_t max_tokens_ = 0;
  bool stream_ = false, include_usage_ = false, logprobs_ = false;
  bool opened_ = false, done_ = false;
  std::vector<Delta> answers_;
  std::vector<bool> spoken_;
  std::chrono::steady_clock::time_point last_event_ = start_, last_token_{};
  double first_token_s_ = 0;
};

}  // namespace vl3::serve
