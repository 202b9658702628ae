#include "serve/openai/chat_response.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/report_json.h"

namespace vl3::serve {
namespace {

constexpr float kLeastLogprob = -9999.0F;  // JSON has no infinity; OpenAI's own value

float finite(float logprob) { return std::isfinite(logprob) ? logprob : kLeastLogprob; }

OrderedJson bytes_of(const std::string& text) {
  OrderedJson bytes = OrderedJson::array();
  for (const unsigned char c : text) bytes.push_back(c);
  return bytes;
}

OrderedJson or_null(const std::string& text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

int64_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

std::string bits(const std::vector<uint8_t>& mask) {
  std::string text;
  for (const uint8_t bit : mask) text += bit != 0 ? '1' : '0';
  return text;
}

OrderedJson masks_json(const std::vector<KeptMask>& masks) {
  OrderedJson list = OrderedJson::array();
  for (const KeptMask& mask : masks) {
    OrderedJson frames = OrderedJson::array();
    for (const auto& frame : mask.frames) frames.push_back(bits(frame));
    list.push_back({{"height", mask.height}, {"width", mask.width}, {"frames", std::move(frames)}});
  }
  return list;
}

// OpenAI knows three reasons; what else ends an answer here is said in stop_reason.
const char* finish_word(const std::string& reason) {
  if (reason == "length") return "length";
  return "stop";
}

OrderedJson stop_reason(const Delta& delta) {
  if (delta.finish_reason == "repetition" || delta.finish_reason == "cancelled") return delta.finish_reason;
  return or_null(delta.stop_reason);
}

}  // namespace

std::string dump(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string sse_event(const OrderedJson& json) { return "data: " + dump(json) + "\n\n"; }

OrderedJson ChatWriter::base(const char* chunk_object, const char* whole_object, bool chunk) const {
  const bool chat = options_.kind == Kind::kChat;
  return {{"id", options_.id},
          {"object", !chat   ? "text_completion"
                     : chunk ? chunk_object
                             : whole_object},
          {"created", options_.created},
          {"model", options_.model},
          {"system_fingerprint", nullptr}};
}

void ChatWriter::usage_is_null(OrderedJson& chunk) const {
  if (options_.include_usage) chunk["usage"] = nullptr;
}

OrderedJson ChatWriter::logprobs(const std::vector<TokenEvent>& tokens) const {
  const auto entry = [&](int64_t id, float logprob) -> OrderedJson {
    const std::string text = options_.token_text(id);
    return {{"token", text}, {"logprob", finite(logprob)}, {"bytes", bytes_of(text)}};
  };
  OrderedJson content = OrderedJson::array();
  for (const TokenEvent& token : tokens) {
    OrderedJson item = entry(token.id, token.logprob);
    item["top_logprobs"] = OrderedJson::array();
    for (const auto& other : token.top) item["top_logprobs"].push_back(entry(other.id, other.logprob));
    content.push_back(std::move(item));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

OrderedJson ChatWriter::completion_logprobs(const std::vector<TokenEvent>& tokens, int64_t& offset) const {
  OrderedJson texts = OrderedJson::array(), values = OrderedJson::array(), top = OrderedJson::array(),
              offsets = OrderedJson::array();
  for (const TokenEvent& token : tokens) {
    const std::string text = options_.token_text(token.id);
    // A token that begins inside a character is told the character's own place.
    const bool inside = !text.empty() && (text.front() & 0xc0) == 0x80;
    offsets.push_back(std::max<int64_t>(0, offset - static_cast<int64_t>(inside)));
    offset += characters(text);
    texts.push_back(text);
    values.push_back(finite(token.logprob));
    OrderedJson others = OrderedJson::object();
    for (const auto& other : token.top) others[options_.token_text(other.id)] = finite(other.logprob);
    top.push_back(std::move(others));
  }
  return {{"tokens", std::move(texts)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

std::string ChatWriter::echo_once(int choice) {
  return std::exchange(streamed_[choice].echoed, true) ? "" : options_.echo;
}

OrderedJson ChatWriter::opening_chunk(int choice) const {
  OrderedJson chunk = base("chat.completion.chunk", "", true);
  OrderedJson opening = {{"index", choice},
                         {"delta", {{"role", "assistant"}, {"content", ""}}},
                         {"logprobs", nullptr},
                         {"finish_reason", nullptr}};
  chunk["choices"] = OrderedJson::array({opening});
  usage_is_null(chunk);
  return chunk;
}

OrderedJson ChatWriter::delta_chunk(const Delta& delta) {
  OrderedJson chunk = base("chat.completion.chunk", "", true);
  OrderedJson choice = {{"index", delta.choice}};
  const bool with = options_.logprobs && !delta.tokens.empty();
  std::string text = echo_once(delta.choice) + delta.text;
  if (options_.kind == Kind::kChat) {
    choice["delta"] = {{"content", std::move(text)}};
    choice["logprobs"] = with ? logprobs(delta.tokens) : OrderedJson(nullptr);
  } else {
    choice["text"] = std::move(text);
    int64_t& offset = streamed_[delta.choice].offset;
    choice["logprobs"] = with ? completion_logprobs(delta.tokens, offset) : OrderedJson(nullptr);
  }
  choice["finish_reason"] = nullptr;
  chunk["choices"] = OrderedJson::array({choice});
  usage_is_null(chunk);
  return chunk;
}

OrderedJson ChatWriter::closing_chunk(const Delta& delta) {
  OrderedJson chunk = base("chat.completion.chunk", "", true);
  OrderedJson choice = {{"index", delta.choice}};
  // Of an answer without a word the echo is still missing.
  const std::string text = echo_once(delta.choice);
  if (options_.kind == Kind::kCompletion) {
    choice["text"] = text;
  } else {
    choice["delta"] = OrderedJson::object();
    if (!text.empty()) choice["delta"]["content"] = text;
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = finish_word(delta.finish_reason);
  choice["stop_reason"] = stop_reason(delta);
  chunk["choices"] = OrderedJson::array({choice});
  usage_is_null(chunk);
  return chunk;
}

OrderedJson ChatWriter::usage_chunk(const JobResult& result) const {
  OrderedJson chunk = base("chat.completion.chunk", "", true);
  chunk["choices"] = OrderedJson::array();
  chunk["usage"] = usage(result);
  return chunk;
}

OrderedJson ChatWriter::progress_chunk(const std::string& stage, int64_t done, int64_t total,
                                       int64_t cached) {
  return {{"choices", OrderedJson::array()},
          {"prompt_progress", {{"stage", stage}, {"processed", done}, {"total", total}, {"cache", cached}}}};
}

OrderedJson ChatWriter::usage(const JobResult& result) {
  const Receipt& receipt = result.receipt;
  OrderedJson usage = {{"prompt_tokens", receipt.prompt_tokens},
                       {"completion_tokens", receipt.completion_tokens},
                       {"total_tokens", receipt.prompt_tokens + receipt.completion_tokens},
                       {"prompt_tokens_details", {{"cached_tokens", receipt.cached_tokens}}}};
  usage["receipt"] = engine::to_json(receipt);
  usage["receipt"]["seconds"]["queue"] = std::round(result.queue_seconds * 1e4) / 1e4;
  if (!result.masks.empty()) usage["receipt"]["kept_masks"] = masks_json(result.masks);
  return usage;
}

OrderedJson ChatWriter::whole(const std::vector<Delta>& answers, const JobResult& result) const {
  OrderedJson object = base("", "chat.completion", false);
  OrderedJson choices = OrderedJson::array();
  for (const Delta& answer : answers) {
    OrderedJson choice = {{"index", answer.choice}};
    if (options_.kind == Kind::kChat) {
      choice["message"] = {
          {"role", "assistant"}, {"content", options_.echo + answer.text}, {"refusal", nullptr}};
      choice["logprobs"] = options_.logprobs ? logprobs(answer.tokens) : OrderedJson(nullptr);
    } else {
      choice["text"] = options_.echo + answer.text;
      int64_t offset = 0;
      choice["logprobs"] =
          options_.logprobs ? completion_logprobs(answer.tokens, offset) : OrderedJson(nullptr);
    }
    choice["finish_reason"] = finish_word(answer.finish_reason);
    choice["stop_reason"] = stop_reason(answer);
    choices.push_back(std::move(choice));
  }
  object["choices"] = std::move(choices);
  object["usage"] = usage(result);
  return object;
}

}  // namespace vl3::serve
