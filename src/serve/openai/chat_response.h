// Answers as OpenAI's clients read them: whole objects and stream chunks, of chats and of plain completions.
#pragma once

#include <functional>
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
    std::function<std::string(int64_t id)> token_text;
  };
  explicit ChatWriter(Options options) : options_(std::move(options)) {}

  /// Chats only: the chunk that names the role.
  OrderedJson opening_chunk(int choice) const;
  /// One step, without what ends it.
  OrderedJson delta_chunk(const Delta& delta) const;
  OrderedJson closing_chunk(const Delta& delta) const;
  OrderedJson usage_chunk(const JobResult& result) const;
  static OrderedJson progress_chunk(const std::string& stage, int64_t done, int64_t total, int64_t cached);

  /// @param answers  one a choice: its whole text and tokens, and what ended it.
  OrderedJson whole(const std::vector<Delta>& answers, const JobResult& result) const;

  static OrderedJson usage(const JobResult& result);

 private:
  OrderedJson base(const char* chunk_object, const char* whole_object, bool chunk) const;
  OrderedJson logprobs(const std::vector<TokenEvent>& tokens) const;
  OrderedJson completion_logprobs(const std::vector<TokenEvent>& tokens) const;
  void usage_is_null(OrderedJson& chunk) const;

  Options options_;
};

/// JSON text in which bytes that are no UTF-8 are replaced.
std::string dump(const OrderedJson& json);

/// "data: {…}\n\n"
std::string sse_event(const OrderedJson& json);

}  // namespace vl3::serve
