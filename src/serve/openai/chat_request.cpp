#include "serve/openai/chat_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "serve/openai/fields.h"
#include "serve/openai/messages.h"
#include "text/conversation.h"

namespace vl3::serve {
namespace {

constexpr size_t kMaxStop = 16;
constexpr size_t kMaxBias = 1024;
constexpr double kEveryFrame = 1000;  // frames a second: more than any video has

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

void read_bias(Fields& fields, GenerationConfig& config, const RequestLimits& limits) {
  const Json* bias = fields.find("logit_bias");
  if (bias == nullptr) return;
  if (!bias->is_object() || bias->size() > kMaxBias)
    fields.fail("logit_bias", fmt::format("an object of at most {} token ids", kMaxBias));
  for (const auto& [key, value] : bias->items()) {
    int64_t id = -1;
    const bool digits =
        !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    if (digits) id = std::stoll(key);
    const double amount = value.is_number() ? value.get<double>() : 1e9;
    if (!digits || id >= limits.vocab_size || !(amount >= -100 && amount <= 100))
      fields.fail("logit_bias",
                  fmt::format("token ids below {} with numbers from -100 to 100", limits.vocab_size));
    config.logit_bias[id] = amount;
  }
}

std::string escaped(const std::string& choice) {
  std::string out;
  for (const char c : choice) {
    if (std::string_view("\\^$.|?*+()[]{}/-").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string as_schema(Fields& fields, const std::string& key, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() || value.is_boolean()) return value.dump();
  fields.fail(key, "a JSON schema");
}

void read_structured(Fields& outer, const Json& value, GenerationConfig& config) {
  Fields fields(value, outer.path("structured_outputs"));
  if (const Json* schema = fields.find("json")) config.json_schema = as_schema(fields, "json", *schema);
  if (const auto regex = fields.string("regex")) config.regex = *regex;
  if (fields.boolean("json_object").value_or(false)) config.json_object = true;
  if (const auto choices = fields.strings("choice", 256)) {
    if (choices->empty()) fields.fail("choice", "at least one string");
    std::string regex;
    for (const std::string& choice : *choices) regex += (regex.empty() ? "(" : "|(") + escaped(choice) + ")";
    config.regex = regex;
  }
  for (const char* key : {"grammar", "structural_tag"}) {
    if (fields.find(key) != nullptr)
      throw ApiError(
          400, fmt::format("{} is not supported; use json, regex, choice or json_object", fields.path(key)),
          fields.path(key));
  }
}

void read_format(Fields& fields, GenerationConfig& config) {
  if (const Json* format = fields.find("response_format")) {
    Fields inner(*format, "response_format");
    const std::string type = inner.string("type").value_or("");
    if (type == "json_object") {
      config.json_object = true;
    } else if (type == "json_schema") {
      Fields schema(inner.require("json_schema"), "response_format.json_schema");
      config.json_schema = as_schema(schema, "schema", schema.require("schema"));
    } else if (type != "text") {
      inner.fail("type", "\"text\", \"json_object\" or \"json_schema\"");
    }
  }
  if (const Json* structured = fields.find("structured_outputs"))
    read_structured(fields, *structured, config);
  if (const Json* schema = fields.find("guided_json"))
    config.json_schema = as_schema(fields, "guided_json", *schema);
  if (const auto regex = fields.string("guided_regex")) config.regex = *regex;
}

void read_generation(Fields& fields, ApiRequest& request, const RequestLimits& limits) {
  Job& job = request.job;
  GenerationConfig& config = job.options.generation;
  const auto old_max = fields.integer("max_tokens", 1, limits.max_tokens);
  const auto new_max = fields.integer("max_completion_tokens", 1, limits.max_tokens);
  config.max_tokens =
      new_max.value_or(old_max.value_or(std::min(limits.default_max_tokens, limits.max_tokens)));
  config.min_tokens = fields.integer("min_tokens", 0, config.max_tokens).value_or(0);
  config.temperature = fields.number("temperature", 0, 2);
  config.top_p = fields.number("top_p", 0, 1);
  // vLLM writes "all tokens" as -1.
  if (const auto top_k = fields.integer("top_k", -1, INT32_MAX)) config.top_k = std::max<int64_t>(0, *top_k);
  config.min_p = fields.number("min_p", 0, 1);
  config.repetition_penalty = fields.number("repetition_penalty", 0.01, 100);
  config.frequency_penalty = fields.number("frequency_penalty", -2, 2).value_or(0);
  config.presence_penalty = fields.number("presence_penalty", -2, 2).value_or(0);
  if (const Json* seed = fields.find("seed")) {
    if (!seed->is_number_integer()) fields.fail("seed", "a whole number");
    config.seed =
        seed->is_number_unsigned() ? seed->get<uint64_t>() : static_cast<uint64_t>(seed->get<int64_t>());
  } else {
    config.seed = random_seed();
  }
  if (auto stop = fields.strings("stop", kMaxStop)) config.stop = std::move(*stop);
  for (const std::string& stop : config.stop) {
    if (stop.empty() || stop.size() > 1024) fields.fail("stop", "strings of 1 to 1024 bytes");
  }
  if (auto ids = fields.integers("stop_token_ids", 0, limits.vocab_size - 1, 64))
    config.stop_token_ids = *ids;
  config.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  config.skip_special_tokens = fields.boolean("skip_special_tokens").value_or(true);
  config.loop_guard = fields.boolean("loop_guard").value_or(false);
  read_bias(fields, config, limits);
  read_format(fields, config);
  job.n = static_cast<int>(fields.integer("n", 1, limits.max_n).value_or(1));
  job.priority = static_cast<int>(fields.integer("priority", -1000, 1000).value_or(0));
  job.cache_salt = fields.string("cache_salt", 1024).value_or("");
  request.user_request_id = fields.string("request_id", 128).value_or("");
  request.model = fields.string("model", 1024).value_or("");
  fields.find("user");
  fields.find("store");
  fields.find("metadata");
  if (const Json* logprobs = fields.find("prompt_logprobs"); logprobs != nullptr && *logprobs != 0)
    throw ApiError(400, "prompt_logprobs are not supported", "prompt_logprobs");
  const auto best_of = fields.integer("best_of", 1, limits.max_n);
  if (best_of && *best_of != job.n) throw ApiError(400, "best_of is not supported; use n", "best_of");
  request.stream = fields.boolean("stream").value_or(false);
  if (const Json* options = fields.find("stream_options")) {
    Fields inner(*options, "stream_options");
    request.include_usage = inner.boolean("include_usage").value_or(false);
    if (!request.stream) throw ApiError(400, "stream_options goes with stream only", "stream_options");
  }
  job.progress = fields.boolean("return_progress").value_or(false);
  job.masks = fields.boolean("return_kept_mask").value_or(false);
}

void read_sampling_of_videos(Fields& fields, AskOptions& options) {
  options.fps = fields.number("fps", 0.001, 1000);
  options.max_frames = fields.integer("max_frames", 1, kMaxVideoFrames);
  options.start = fields.number("start", 0, 1e9);
  options.end = fields.number("end", 0, 1e9);
  options.max_visual_tokens = fields.integer("max_visual_tokens", 1, 1 << 24);
  if (const auto threshold = fields.number("prune_threshold", 0, 255)) {
    options.prune.enabled = true;
    options.prune.threshold = *threshold;
  }
  if (const auto budget = fields.integer("prune_to", 1, 1 << 24)) options.prune.max_tokens = *budget;
  if (const auto reference = fields.string("prune_reference", 32)) options.prune.reference = *reference;
  if (const Json* kwargs = fields.find("media_io_kwargs")) {
    Fields outer(*kwargs, "media_io_kwargs");
    if (const Json* video = outer.find("video")) {
      Fields inner(*video, "media_io_kwargs.video");
      const auto frames = inner.integer("num_frames", -1, kMaxVideoFrames);
      const auto fps = inner.number("fps", -1, 1000);
      const bool rate = fps && *fps > 0;
      if (rate) options.fps = *fps;
      if (frames && *frames == 0) inner.fail("num_frames", "-1 (all) or at least 1");
      if (frames && !rate) options.fps = kEveryFrame;  // so many, evenly over the whole video
      if (frames && *frames > 0) options.max_frames = *frames;
    }
  }
  if (const Json* kwargs = fields.find("mm_processor_kwargs")) {
    Fields inner(*kwargs, "mm_processor_kwargs");
    if (const auto fps = inner.number("fps", 0.001, 1000)) options.fps = *fps;
    if (const auto frames = inner.integer("max_frames", 1, kMaxVideoFrames)) options.max_frames = *frames;
    if (const auto tokens = inner.integer("max_visual_tokens", 1, 1 << 24))
      options.max_visual_tokens = *tokens;
    if (inner.boolean("do_sample_frames") == false) options.fps = kEveryFrame;
  }
}

void check_media(const ApiRequest& request, const RequestLimits& limits) {
  int64_t media = 0;
  const auto too_many = [&](int64_t frames, const std::string& param) {
    if (frames > limits.max_frames)
      throw ApiError(400, fmt::format("{} frames of a video, the limit is {}", frames, limits.max_frames),
                     param);
  };
  too_many(request.job.options.max_frames.value_or(0), "max_frames");
  for (size_t m = 0; m < request.job.conversation.size(); ++m) {
    for (const ContentPart& part : request.job.conversation[m].parts) {
      if (part.kind == PartKind::kText) continue;
      ++media;
      const std::string where = fmt::format("messages[{}]", m);
      too_many(static_cast<int64_t>(part.frames.size()), where);
      too_many(part.max_frames.value_or(0), where);
      too_many(part.num_frames.value_or(0), where);
    }
  }
  if (media > limits.max_media)
    throw ApiError(400, fmt::format("{} images and videos, the limit is {}", media, limits.max_media),
                   "messages");
}

void refuse_tools(Fields& fields) {
  const Json* tools = fields.find("tools");
  const Json* choice = fields.find("tool_choice");
  const bool none = choice != nullptr && *choice == "none";
  if (tools != nullptr && !tools->empty() && !none)
    throw ApiError(400, "this model calls no tools; leave tools out, or say tool_choice \"none\"", "tools");
  fields.find("parallel_tool_calls");
  fields.find("functions");
  fields.find("function_call");
}

void read_messages(Fields& fields, ApiRequest& request) {
  Json messages = fields.require("messages");
  request.media_uuids = normalise_messages(messages);
  try {
    request.job.conversation = text::parse_openai_messages(messages, "messages");
  } catch (const Error& error) {
    throw to_api_error(error, "messages");
  }
}

void finish(Fields& fields, ApiRequest& request) { request.unknown = fields.unread(); }

}  // namespace

ApiRequest parse_chat_request(const Json& body, const RequestLimits& limits) {
  Fields fields(body, "");
  ApiRequest request;
  Job& job = request.job;
  read_messages(fields, request);
  read_generation(fields, request, limits);
  if (fields.boolean("logprobs").value_or(false)) job.top_logprobs = 0;
  if (const auto top = fields.integer("top_logprobs", 0, 20)) {
    if (job.top_logprobs < 0 && *top > 0)
      throw ApiError(400, "top_logprobs needs logprobs: true", "top_logprobs");
    if (job.top_logprobs == 0) job.top_logprobs = static_cast<int>(*top);
  }
  read_sampling_of_videos(fields, job.options);
  refuse_tools(fields);
  job.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
  job.continue_final_message = fields.boolean("continue_final_message").value_or(false);
  const Role last = job.conversation.back().role;
  if (job.continue_final_message && last != Role::kAssistant)
    throw ApiError(400, "continue_final_message needs an assistant's turn at the end", "messages");
  job.options.add_system_prompt = fields.boolean("add_system_prompt");
  request.measure_pruning = fields.boolean("measure_pruning").value_or(false);
  for (const char* key : {"chat_template", "chat_template_kwargs"}) {
    const Json* value = fields.find(key);
    if (value != nullptr && !value->empty())
      throw ApiError(400, fmt::format("{} is not supported: the model's own template is used", key), key);
  }
  check_media(request, limits);
  finish(fields, request);
  return request;
}

ApiRequest parse_completion_request(const Json& body, const RequestLimits& limits) {
  Fields fields(body, "");
  ApiRequest request;
  const Json* prompt = &fields.require("prompt");
  if (prompt->is_array() && prompt->size() == 1 && !(*prompt)[0].is_number()) prompt = &(*prompt)[0];
  if (prompt->is_string()) {
    request.job.prompt = prompt->get<std::string>();
  } else {
    const bool ids = prompt->is_array() && !prompt->empty() && (*prompt)[0].is_number();
    if (!ids) fields.fail("prompt", "one string, or one list of token ids");
    const Json wrapped = {{"prompt", *prompt}};
    request.job.token_ids = Fields(wrapped, "").integers("prompt", 0, limits.vocab_size - 1, 1 << 20);
  }
  if (request.job.prompt && request.job.prompt->empty()) fields.fail("prompt", "a text");
  read_generation(fields, request, limits);
  if (const auto top = fields.integer("logprobs", 0, 20)) request.job.top_logprobs = static_cast<int>(*top);
  request.echo = fields.boolean("echo").value_or(false);
  if (fields.find("suffix") != nullptr) throw ApiError(400, "suffix is not supported", "suffix");
  finish(fields, request);
  return request;
}

ApiRequest parse_tokenize_request(const Json& body, const RequestLimits& limits) {
  Fields fields(body, "");
  ApiRequest request;
  request.model = fields.string("model", 1024).value_or("");
  if (const auto prompt = fields.string("prompt", SIZE_MAX)) {
    request.job.prompt = *prompt;
  } else {
    read_messages(fields, request);
    for (const Message& message : request.job.conversation) {
      for (const ContentPart& part : message.parts) {
        if (part.kind != PartKind::kText)
          throw ApiError(400, "/tokenize takes text only; /v1/plan counts the tokens of media", "messages");
      }
    }
    request.job.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
    request.job.options.add_system_prompt = fields.boolean("add_system_prompt");
  }
  fields.find("add_special_tokens");
  (void)limits;
  finish(fields, request);
  return request;
}

}  // namespace vl3::serve
