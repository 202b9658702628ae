#include "serve/openai/unsupported_fields.h"

#include <fmt/format.h>

#include <initializer_list>

namespace vl3::serve {
namespace {

struct Unsupported {
  const char* key;
  const char* instead;
};

constexpr Unsupported kAny[] = {
    {"prompt_logprobs", "only the answer's tokens have logprobs"},
    {"use_beam_search", "use n"},
    {"include_stop_str_in_output", "a stop string is left out of the answer"},
    {"stop_regex", "use stop"},
    {"truncate_prompt_tokens", "shorten the prompt"},
    {"allowed_token_ids", "use structured_outputs or logit_bias"},
    {"bad_words", "use logit_bias"},
    {"logits_processors", "use logit_bias"},
    {"logprob_token_ids", "use logprobs"},
    {"return_tokens_as_token_ids", "use /tokenize"},
    {"return_token_ids", "use /tokenize"},
    {"prompt_embeds", "give a prompt of text or token ids"},
};

constexpr Unsupported kOfChats[] = {
    {"chat_template", "the model's own template is used"},
    {"chat_template_kwargs", "the model's own template is used"},
    {"documents", "put them into a message"},
    {"audio", "answers are text"},
    {"web_search_options", "this server looks nothing up"},
};

bool says_nothing(const Json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value == false || (value.is_structured() && value.empty());
}

void refuse(Fields& fields, const Unsupported& field) {
  const Json* value = fields.find(field.key);
  if (value != nullptr && !says_nothing(*value))
    throw ApiError(400, fmt::format("{} is not supported: {}", fields.path(field.key), field.instead),
                   fields.path(field.key));
}

// `choice` says whether `tools` may be called: OpenAI's fields, and those they had before.
void refuse_tools(Fields& fields, const char* tools, const char* choice) {
  const Json* list = fields.find(tools);
  const Json* chosen = fields.find(choice);
  if (chosen != nullptr && *chosen == "none") return;
  if (list != nullptr && !says_nothing(*list))
    throw ApiError(400,
                   fmt::format("this model calls no tools; leave {} out, or say {} \"none\"", tools, choice),
                   tools);
  if (chosen != nullptr && *chosen != "auto") throw ApiError(400, "this model calls no tools", choice);
}

}  // namespace

void refuse_unsupported(Fields& fields) {
  for (const Unsupported& field : kAny) refuse(fields, field);
}

void refuse_unsupported_of_chats(Fields& fields) {
  refuse_tools(fields, "tools", "tool_choice");
  refuse_tools(fields, "functions", "function_call");
  fields.find("parallel_tool_calls");
  for (const Unsupported& field : kOfChats) refuse(fields, field);
  if (const auto kinds = fields.strings("modalities", 8)) {
    for (const std::string& kind : *kinds) {
      if (kind != "text") throw ApiError(400, "modalities: answers are text", "modalities");
    }
  }
}

}  // namespace vl3::serve
