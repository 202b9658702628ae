// The library's front door: load a VideoLLaMA3 model, ask it about text, images and videos.
//
//   vl3::Engine engine = vl3::Engine::load({.model = "path/to/checkpoint"});
//   vl3::Answer answer = engine.ask({vl3::user_message({vl3::image_part("cat.jpg"), vl3::text_part("What is
//   it?")})});
//
// Every failure is a vl3::Error. An Engine may be shared by threads; its calls run one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vl3/conversation.h"
#include "vl3/error.h"
#include "vl3/generation_config.h"

namespace vl3 {

struct EngineOptions {
  // ---- what changes the result
  std::string model = {};               ///< folder of a checkpoint
  std::string dtype = "auto";           ///< "auto" (the checkpoint's), "float32", "bfloat16"
  std::string kv_cache_dtype = "auto";  ///< "auto" (the weights'), "int8" (half of bfloat16; on the CPU)
  std::string flow = {};                ///< "" (the checkpoint's layout), "remote", "native"
  // ---- what changes the speed
  std::string device = "cpu";  ///< "cpu", "cuda", "cuda:N"
  int threads = 0;             ///< 0 = one a core
};

/// Which visual tokens of a video are kept (DiffFP; paper section 2.2).
struct PruneConfig {
  std::optional<bool> enabled;         ///< unset: as the checkpoint says
  double threshold = 0.1;              ///< on 255 * mean |difference| of normalised pixels
  std::string reference = "previous";  ///< compared with: "previous" frame or "last-kept" content
  std::optional<int64_t> max_tokens;   ///< smallest threshold whose kept tokens of all videos fit this budget
};

/// Bounds on what is read from outside.
struct MediaLimitsConfig {
  uint64_t max_bytes = 2ull << 30;
  int64_t max_pixels = 178'956'970;
  double max_seconds = 24 * 3600;
  double timeout_s = 60;
  bool allow_private_addresses = false;
};

struct AskOptions {
  GenerationConfig generation;
  PruneConfig prune;
  MediaLimitsConfig limits;
  // Of videos that do not say it themselves.
  std::optional<double> fps;
  std::optional<int64_t> max_frames;
  std::optional<double> start, end;
  std::optional<int64_t> max_visual_tokens;
  std::optional<bool> add_system_prompt;  ///< unset: the flow's habit
  bool parse_special_in_text = false;     ///< text may name special tokens
  uint64_t max_ram_bytes = 0;             ///< refuse what is predicted to need more; 0 = no limit
  bool fit = false;                       ///< with max_ram_bytes: lower max_frames instead, and say so
};

struct FrameReceipt {
  int64_t source_index = -1;  ///< in the file; -1 for a picture
  std::optional<double> time_s;
  int64_t tokens = 0;  ///< before pruning
  int64_t kept = 0;
};

struct MediumReceipt {
  std::string name;
  std::string kind;                               ///< "image", "video"
  int64_t height = 0, width = 0;                  ///< as stored (videos: first frame)
  int64_t resized_height = 0, resized_width = 0;  ///< as the encoder saw it
  std::optional<double> duration_s;
  std::vector<FrameReceipt> frames;
};

struct SecondsReceipt {
  double load = 0;        ///< of the model, once an engine
  double open = 0;        ///< of the media
  double decode = 0;      ///< in the background
  double preprocess = 0;  ///< in the background
  double encode = 0;
  double prefill = 0;
  double generate = 0;
  double first_token = 0;  ///< from the call to the first token
  double total = 0;
};

/// What an answer took.
struct Receipt {
  std::vector<MediumReceipt> media;
  int64_t prompt_tokens = 0;  ///< after pruning
  int64_t visual_tokens = 0;  ///< before pruning
  int64_t visual_tokens_kept = 0;
  int64_t cached_tokens = 0;  ///< prompt tokens that needed no work
  int64_t completion_tokens = 0;
  int64_t drafted_tokens = 0;   ///< guessed by prompt look-up …
  int64_t accepted_tokens = 0;  ///< … and right: so many steps were saved
  double prune_threshold = 0;   ///< in force
  SecondsReceipt seconds;
  uint64_t peak_rss_bytes = 0;  ///< of the process so far
  std::vector<std::string> warnings;
};

struct Answer {
  std::string text;
  std::vector<int64_t> token_ids;  ///< with the end-of-sequence token where there was one
  std::string finish_reason;       ///< "stop", "length", "cancelled", "repetition"
  bool constraint_met = true;      ///< the text satisfies its schema or regex; false where it was cut before
  Receipt receipt;
};

/// What a request would cost.
struct Plan {
  std::vector<MediumReceipt> media;  ///< kept = tokens unless `pruning_known`
  bool pruning_known = false;
  int64_t prompt_tokens = 0;  ///< at most (before pruning, unless known)
  int64_t visual_tokens = 0;
  int64_t visual_tokens_kept = 0;
  double prune_threshold = 0;
  int64_t patches = 0;
  uint64_t weight_bytes = 0, kv_bytes = 0, work_bytes = 0, peak_ram_bytes = 0;  ///< predicted
  double first_token_seconds = 0;  ///< predicted from short measurements of this machine and of these videos
  double decode_seconds = 0;       ///< of it: decoding and resizing
  double token_seconds = 0;        ///< predicted for each further token of the answer
  int64_t max_position_embeddings = 0;
  bool fits = true;                   ///< in max_ram_bytes and in the model's context
  std::vector<std::string> notes;     ///< why it does not fit
  std::vector<std::string> warnings;  ///< what `fit` lowered, what is wrong with the media
};

struct Progress {
  /// "open", "download", "read stdin" (references), "decode" and "encode" (images and frames), "prefill"
  /// (tokens)
  std::string_view stage;
  int64_t done = 0;
  int64_t total = 0;
};

/// Called on the asking thread; each may be empty.
struct Callbacks {
  std::function<void(std::string_view text)> on_text;  ///< whole UTF-8 characters, as they come
  std::function<void(const Progress&)> on_progress;
  std::function<bool()> cancelled;  ///< true: the answer so far is given with finish reason "cancelled"
};

class Session;

class Engine {
 public:
  static Engine load(const EngineOptions& options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// One answer to a conversation that ends with a user's turn.
  Answer ask(const Conversation& conversation, const AskOptions& options = {},
             const Callbacks& callbacks = {}) const;

  /// Looks at the options alone. @throws Error(kInvalidArgument) for a value out of range, a schema or a
  /// regex that cannot be enforced.
  void check(const AskOptions& options) const;

  /// What ask() would cost, without encoding or generating anything.
  /// @param measure_pruning  decodes the videos to count kept tokens.
  Plan plan(const Conversation& conversation, const AskOptions& options = {},
            bool measure_pruning = false) const;

 private:
  friend class Session;
  struct Impl;
  explicit Engine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// A conversation that goes on: what an earlier call computed (keys and values of the common beginning,
/// visual tokens) is used again, and so is what it downloaded or read from stdin, as long as the conversation
/// names it. One thread at a time.
class Session {
 public:
  explicit Session(const Engine& engine);
  ~Session();
  Session(Session&&) noexcept;

  Answer ask(const Conversation& conversation, const AskOptions& options = {},
             const Callbacks& callbacks = {});

 private:
  friend class Engine;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vl3
