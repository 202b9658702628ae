#include "serve/openai/generation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "serve/openai/constraint_fields.h"

namespace vl3::serve {
namespace {

constexpr size_t kMaxStop = 16;
constexpr size_t kMaxBias = 1024;
constexpr size_t kMaxRequestId = 128;

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

// OpenAI's two names and llama.cpp's; -1 is how users of llama.cpp and Ollama say "until the model ends".
int64_t read_max_tokens(Fields& fields, const RequestLimits& limits) {
  int64_t most = std::min(limits.default_max_tokens, limits.max_tokens);
  for (const char* key : {"n_predict", "max_tokens", "max_completion_tokens"}) {
    const auto given = fields.integer(key, -1, limits.max_tokens);
    if (!given) continue;
    if (*given == 0)
      fields.fail(key, fmt::format("a whole number from 1 to {}, or -1 for no limit", limits.max_tokens));
    most = *given < 0 ? limits.max_tokens : *given;
  }
  return most;
}

void read_sampling(Fields& fields, GenerationConfig& config, const RequestLimits& limits) {
  config.temperature = fields.number("temperature", 0, 2);
  config.top_p = fields.number("top_p", 0, 1);
  // vLLM writes "all tokens" as -1.
  if (const auto top_k = fields.integer("top_k", -1, INT32_MAX)) config.top_k = std::max<int64_t>(0, *top_k);
  config.min_p = fields.number("min_p", 0, 1);
  config.repetition_penalty = fields.number("repetition_penalty", 0.01, 100);
  config.frequency_penalty = fields.number("frequency_penalty", -2, 2).value_or(0);
  config.presence_penalty = fields.number("presence_penalty", -2, 2).value_or(0);
  read_bias(fields, config, limits);
  const Json* seed = fields.find("seed");
  if (seed == nullptr) {
    config.seed = random_seed();
    return;
  }
  if (!seed->is_number_integer()) fields.fail("seed", "a whole number");
  config.seed =
      seed->is_number_unsigned() ? seed->get<uint64_t>() : static_cast<uint64_t>(seed->get<int64_t>());
}

void read_end(Fields& fields, GenerationConfig& config, const RequestLimits& limits) {
  config.max_tokens = read_max_tokens(fields, limits);
  config.min_tokens = fields.integer("min_tokens", 0, config.max_tokens).value_or(0);
  if (auto stop = fields.strings("stop", kMaxStop)) config.stop = std::move(*stop);
  for (const std::string& stop : config.stop) {
    if (stop.empty() || stop.size() > 1024) fields.fail("stop", "strings of 1 to 1024 bytes");
  }
  if (auto ids = fields.integers("stop_token_ids", 0, limits.vocab_size - 1, 64))
    config.stop_token_ids = *ids;
  config.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  config.skip_special_tokens = fields.boolean("skip_special_tokens").value_or(true);
  config.loop_guard = fields.boolean("loop_guard").value_or(false);
}

// It is sent back and logged.
std::string read_request_id(Fields& fields) {
  const std::string id = fields.string("request_id", kMaxRequestId).value_or("");
  if (!std::all_of(id.begin(), id.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; }))
    fields.fail("request_id", "letters, digits and signs of ASCII");
  return id;
}

void read_stream(Fields& fields, ApiRequest& request) {
  request.stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.find("stream_options");
  if (options == nullptr) return;
  if (!request.stream) throw ApiError(400, "stream_options goes with stream only", "stream_options");
  Fields inner(*options, "stream_options");
  request.include_usage = inner.boolean("include_usage").value_or(false);
  inner.add_unread(request.unknown);
}

}  // namespace

void read_generation(Fields& fields, ApiRequest& request, const RequestLimits& limits) {
  Job& job = request.job;
  GenerationConfig& config = job.options.generation;
  read_end(fields, config, limits);
  read_sampling(fields, config, limits);
  read_constraints(fields, config);
  job.n = static_cast<int>(fields.integer("n", 1, limits.max_n).value_or(1));
  const auto best_of = fields.integer("best_of", 1, limits.max_n);
  if (best_of && *best_of != job.n) throw ApiError(400, "best_of is not supported; use n", "best_of");
  const int64_t priority = fields.integer("priority", INT32_MIN, INT32_MAX).value_or(0);
  job.priority = static_cast<int>(std::max(priority, limits.least_priority));
  job.cache_salt = fields.string("cache_salt", 1024).value_or("");
  request.request_id = read_request_id(fields);
  request.model = fields.string("model", 1024).value_or("");
  read_stream(fields, request);
  job.progress = fields.boolean("return_progress").value_or(false);
  job.masks = fields.boolean("return_kept_mask").value_or(false);
  // For OpenAI's own books.
  for (const char* key : {"user", "store", "metadata"}) fields.find(key);
}

}  // namespace vl3::serve
