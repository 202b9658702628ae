// Answers as OpenAI's clients read them: whole objects and stream chunks, of chats and of plain completions.
// One writer an answer; it remembers what a stream has said so far.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "serve/queue/job.h"

namespace vl3::serve {

class ChatWriter {
 public:
  enum class Kind { kChat, kCompletion };
  struct Options {
    Kind kind = Kind::kChat;
    std::string id;
    std::string model;
    int64_t created = 0;  ///< Unix seconds
    bool include_usage = false;
    bool logprobs = false;
    std::string echo = {};  ///< stands before every answer
    std::function<std::string(int64_t id)> token_text;
  };
  explicit ChatWriter(Options options) : options_(std::move(options)) {}

  /// Chats only: the chunk that names the role.
  OrderedJson opening_chunk(int choice) const;
  /// One step, without what ends it; of a choice in their order.
  OrderedJson delta_chunk(const Delta& delta);
  OrderedJson closing_chunk(const Delta& delta);
  OrderedJson usage_chunk(const JobResult& result) const;
  static OrderedJson progress_chunk(const std::string& stage, int64_t done, int64_t total, int64_t cached);

  /// @param answers  one a choice: its whole text and tokens, and what ended it.
  OrderedJson whole(const std::vector<Delta>& answers, const JobResult& result) const;

  static OrderedJson usage(const JobResult& result);

 private:
  OrderedJson base(const char* chunk_object, const char* whole_object, bool chunk) const;
  OrderedJson logprobs(const std::vector<TokenEvent>& tokens) const;
  /// @param offset  characters of the answer before these tokens; moved on behind them.
  OrderedJson completion_logprobs(const std::vector<TokenEvent>& tokens, int64_t& offset) const;
  void usage_is_null(OrderedJson& chunk) const;
  /// The echo before a choice's first words, "" after that.
  std::string echo_once(int choice);

  struct Streamed {
    bool echoed = false;
    int64_t offset = 0;  ///< characters of the tokens so far
  };
  Options options_;
  std::map<int, Streamed> streamed_;  // by choice
};

/// JSON text in which bytes that are no UTF-8 are replaced.
std::string dump(const OrderedJson& json);

/// "data: {…}\n\n"
std::string sse_event(const OrderedJson& json);

}  // namespace vl3::serve
