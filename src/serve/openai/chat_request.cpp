#include "serve/openai/chat_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/openai/fields.h"
#include "serve/openai/generation_fields.h"
#include "serve/openai/media_fields.h"
#include "serve/openai/messages.h"
#include "serve/openai/unsupported_fields.h"
#include "text/conversation.h"

namespace vl3::serve {
namespace {

constexpr size_t kMaxPromptIds = 1 << 20;

void read_messages(Fields& fields, ApiRequest& request) {
  Json messages = fields.require("messages");
  request.media_uuids = normalise_messages(messages);
  try {
    request.job.conversation = text::parse_openai_messages(messages, "messages");
  } catch (const Error& error) {
    throw to_api_error(error, "messages");
  }
}

bool is_text(const Message& message) {
  return std::all_of(message.parts.begin(), message.parts.end(),
                     [](const ContentPart& part) { return part.kind == PartKind::kText; });
}

// How the template is applied.
void read_prompt_options(Fields& fields, Job& job) {
  job.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
  job.continue_final_message = fields.boolean("continue_final_message").value_or(false);
  job.options.add_system_prompt = fields.boolean("add_system_prompt");
  const Message& last = job.conversation.back();
  if (job.continue_final_message && (last.role != Role::kAssistant || !is_text(last)))
    throw ApiError(400, "continue_final_message needs an assistant's turn of text at the end", "messages");
  fields.find("add_special_tokens");  // the template has them all, and text needs none
}

void read_chat_logprobs(Fields& fields, Job& job) {
  if (fields.boolean("logprobs").value_or(false)) job.top_logprobs = 0;
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (!top) return;
  if (job.top_logprobs < 0 && *top > 0)
    throw ApiError(400, "top_logprobs needs logprobs: true", "top_logprobs");
  if (job.top_logprobs == 0) job.top_logprobs = static_cast<int>(*top);
}

// As vLLM: the last message, where the answer goes on as its author.
void read_chat_echo(Fields& fields, ApiRequest& request) {
  request.echo = fields.boolean("echo").value_or(false);
  const Message& last = request.job.conversation.back();
  if (!request.echo || (last.role != Role::kAssistant && request.job.add_generation_prompt)) return;
  for (const ContentPart& part : last.parts) request.echo_text += part.text;
}

void read_prompt(Fields& fields, Job& job, const RequestLimits& limits) {
  const Json* prompt = &fields.require("prompt");
  const bool list = prompt->is_array() && !prompt->empty() && !prompt->front().is_number();
  if (list && prompt->size() > 1)
    throw ApiError(
        400,
        fmt::format("prompt holds {} prompts; only one is taken: send a request for each", prompt->size()),
        "prompt");
  if (list) prompt = &prompt->front();
  if (prompt->is_string()) {
    job.prompt = prompt->get<std::string>();
    if (job.prompt->empty()) fields.fail("prompt", "a text");
    return;
  }
  const bool ids = prompt->is_array() && !prompt->empty() && prompt->front().is_number();
  if (!ids) fields.fail("prompt", "one string, or one list of token ids");
  const Json wrapped = {{"prompt", *prompt}};
  job.token_ids = Fields(wrapped, "").integers("prompt", 0, limits.vocab_size - 1, kMaxPromptIds);
}

}  // namespace

ApiRequest parse_chat_request(const Json& body, const RequestLimits& limits) {
  Fields fields(body, "");
  ApiRequest request;
  read_messages(fields, request);
  read_generation(fields, request, limits);
  read_chat_logprobs(fields, request.job);
  read_media_options(fields, request);
  read_prompt_options(fields, request.job);
  read_chat_echo(fields, request);
  request.measure_pruning = fields.boolean("measure_pruning").value_or(false);
  refuse_unsupported(fields);
  refuse_unsupported_of_chats(fields);
  check_media(request, limits);
  fields.add_unread(request.unknown);
  return request;
}

ApiRequest parse_completion_request(const Json& body, const RequestLimits& limits) {
  Fields fields(body, "");
  ApiRequest request;
  Job& job = request.job;
  read_prompt(fields, job, limits);
  read_generation(fields, request, limits);
  if (const auto top = fields.integer("logprobs", 0, 20)) job.top_logprobs = static_cast<int>(*top);
  request.echo = fields.boolean("echo").value_or(false);
  if (request.echo) request.echo_text = job.prompt.value_or("");
  if (request.echo && job.top_logprobs >= 0)
    throw ApiError(400, "echo excludes logprobs: those of the prompt's tokens are not computed", "logprobs");
  if (const auto suffix = fields.string("suffix"); suffix && !suffix->empty())
    throw ApiError(400, "suffix is not supported", "suffix");
  fields.find("add_special_tokens");  // the tokeniser adds none
  refuse_unsupported(fields);
  fields.add_unread(request.unknown);
  return request;
}

ApiRequest parse_tokenize_request(const Json& body) {
  Fields fields(body, "");
  ApiRequest request;
  request.model = fields.string("model", 1024).value_or("");
  const bool prompt = fields.find("prompt") != nullptr;
  if (prompt && fields.find("messages") != nullptr)
    throw ApiError(400, "prompt and messages exclude one another: give one", "prompt");
  if (prompt) {
    request.job.prompt = fields.string("prompt", SIZE_MAX);
  } else {
    read_messages(fields, request);
    if (!std::all_of(request.job.conversation.begin(), request.job.conversation.end(), is_text))
      throw ApiError(400, "/tokenize takes text only; /v1/plan counts the tokens of media", "messages");
    read_prompt_options(fields, request.job);
    refuse_unsupported_of_chats(fields);
  }
  fields.find("add_special_tokens");
  fields.add_unread(request.unknown);
  return request;
}

}  // namespace vl3::serve
