// What answers a benchmark's questions: the engine, a server, a test's stand-in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "vl3/conversation.h"
#include "vl3/error.h"

namespace vl3::eval {

struct Reply {
  std::string text;
  std::string finish_reason;
  int64_t prompt_tokens = 0, completion_tokens = 0;
};

/// Seconds of a question that is the first about its medium.
struct Prediction {
  double first_token = 0;
  double token = 0;  ///< each further one of the answer
};

/// Questions about one medium, asked one after the other; may remember what they share. One thread.
class AnswerSession {
 public:
  virtual ~AnswerSession() = default;
  /// @throws Error: this question failed. FatalError: no question can be answered any more.
  virtual Reply ask(const Conversation& conversation) = 0;
};

/// The run cannot go on: what was answered stays in the journal.
class FatalError : public Error {
 public:
  explicit FatalError(const Error& error) : Error(error) {}
};

class Answerer {
 public:
  virtual ~Answerer() = default;
  /// What distinguishes its answers from another's; a run is only continued with the same.
  virtual OrderedJson identity() const = 0;
  virtual std::unique_ptr<AnswerSession> session() = 0;
  /// Sessions that may be used at once, each by its own thread.
  virtual int at_once() const { return 1; }
  /// Videos must come as pictures.
  virtual bool wants_pictures() const { return false; }
  /// What a question will take, where that can be predicted.
  virtual std::optional<Prediction> predict(const Conversation&) { return std::nullopt; }
};

}  // namespace vl3::eval
