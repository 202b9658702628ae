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
  std::string request_id;  ///< for the log
  std::string path;
  std::string peer;
  double timeout_s = 600;
  double keep_alive_s = 15;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(ExchangeOptions options, std::shared_ptr<Responder> responder, boost::asio::thread_pool& pool,
           Metrics& metrics, std::function<void(const std::string& id)> cancel);

  /// First call: from now on it is known whether the client is still there and time is left.
  void watch();
  /// The job is about to be submitted; from now on a client that goes away cancels it.
  void arm(const Job& job, ChatWriter writer, bool stream, bool include_usage);
  JobEvents events();
  /// The job was queued: a stream's head may go out. One that was given up meanwhile is cancelled.
  void accepted();
  /// Instead of an answer, or in the middle of a stream. Any thread.
  void fail(const ApiError& error);
  /// Answers at once (endpoints that generate nothing). Any thread.
  void respond(HttpResponse response);
  /// The client went away, or time is over: whoever still prepares the job may stop.
  bool abandoned() const { return abandoned_; }

 private:
  void post(std::function<void(Exchange&)> action);
  void open_stream();
  void on_delta(Delta delta);
  void on_finished(JobResult result);
  void fail_now(const ApiError& error);
  void tick();
  void give_up();
  ApiError timeout() const;
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
  std::atomic<bool> armed_{false};  // what arm() sets is there

  // Used on the strand only, but for what arm() sets.
  std::string job_id_;
  std::optional<ChatWriter> writer_;
  int n_ = 1;
  int64_t max_tokens_ = 0;
  bool stream_ = false, include_usage_ = false, logprobs_ = false;
  bool opened_ = false, done_ = false, accepted_ = false, timed_out_ = false;
  std::vector<Delta> answers_;
  std::vector<bool> spoken_;
  std::chrono::steady_clock::time_point last_event_ = start_, last_token_{};
  double first_token_s_ = 0;
};

}  // namespace vl3::serve
