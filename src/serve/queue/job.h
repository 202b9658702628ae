// One request as the engine works on it, and what is heard of it. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "preprocess/media_set.h"
#include "sampling/sampler.h"
#include "vl3/engine.h"

namespace vl3::serve {

struct Job {
  std::string id;                                 ///< unique, "chatcmpl-…"
  Conversation conversation;                      ///< of a chat; empty where `prompt` is set
  std::optional<std::string> prompt;              ///< of a plain completion: text without a template
  std::optional<std::vector<int64_t>> token_ids;  ///< the same, tokenised already
  bool add_generation_prompt = true;
  bool continue_final_message = false;  ///< the last turn is the answer's beginning
  AskOptions options;
  int n = 1;               ///< answers; number i is drawn with seed + i
  int top_logprobs = -1;   ///< -1: no logprobs
  int priority = 0;        ///< smaller runs first
  std::string cache_salt;  ///< prefixes are shared only among jobs of equal salt
  bool progress = false;   ///< wants JobEvents::progress
  bool masks = false;      ///< wants JobResult::masks
  /// Describes a medium in place of opening it in this process; may be empty.
  preprocess::PartDescriber describe;
};

struct TokenEvent {
  int64_t id = 0;
  float logprob = 0;
  std::vector<sampling::TokenLogprob> top;
};

/// One step of one answer.
struct Delta {
  int choice = 0;
  std::string text;  ///< may be shown now: whole UTF-8 characters
  std::vector<TokenEvent> tokens;
  std::string finish_reason;  ///< "" while it goes on
  std::string stop_reason;    ///< the stop string or token id that ended it; may be empty
};

/// [frame][token] of 0 and 1, in a grid of height x width tokens.
struct KeptMask {
  int64_t height = 0, width = 0;
  std::vector<std::vector<uint8_t>> frames;
};

struct JobResult {
  Receipt receipt;  ///< completion_tokens of all answers together
  std::vector<KeptMask> masks;
  double queue_seconds = 0;
  std::optional<Error> error;  ///< the job failed; answers are what was sent so far
  bool cancelled = false;
};

/// Called on the compute thread, one after the other: quick, never blocking, never throwing. What is not set
/// is not told.
struct JobEvents {
  std::function<void(int64_t prompt_tokens)> prefilled = [](int64_t) {};
  std::function<void(Delta)> delta = [](const Delta&) {};
  std::function<void(std::string stage, int64_t done, int64_t total, int64_t cached)> progress =
      [](const std::string&, int64_t, int64_t, int64_t) {};
  std::function<void(JobResult)> finished = [](const JobResult&) {};
};

/// The queue holds as many jobs as it may.
class QueueFull : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace vl3::serve
