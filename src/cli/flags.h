// Flags that several commands share, and what they stand for. One word an idea: a flag is named like the
// library's field.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "vl3/engine.h"

namespace vl3::engine {
class Runtime;
}

namespace vl3::cli {

/// Of the remote flow's index rule max_frames is no bound (media::remote_index_rule).
inline constexpr const char* kMaxFramesHelp =
    "Frames of a video at most (remote flow: --fps may give a folder, GIF or window below 1 s more)";

/// --model --dtype --device --flow --threads
struct ModelFlags {
  EngineOptions options;
  void add(CLI::App& command);
  /// The folder of --model, $VL3_MODEL or the embedded model. @throws Error(kNotFound).
  std::filesystem::path folder() const;
  Engine load() const;
  /// The model without the front door, for commands that look inside.
  std::shared_ptr<const engine::Runtime> load_runtime() const;
};

/// MEDIA…, --image, --video, --messages and how videos are sampled and pruned; the prompt and its limits.
struct MediaFlags {
  AskOptions options;
  std::string messages;  ///< file of OpenAI-style messages
  std::string media_root;
  std::string system;
  bool no_system_prompt = false;

  /// @param with_question  the last positional is the question.
  void add(CLI::App& command, bool with_question);
  /// --system --no-system-prompt --parse-special --max-ram --fit: what matters only where a prompt is made.
  void add_prompt(CLI::App& command);
  /// What the command line asks. @throws Error(kInvalidArgument) without a question where one is wanted.
  Conversation conversation() const;
  /// Says on stderr which flags of videos were given where no medium was one.
  void note_idle_flags(const std::vector<MediumReceipt>& media) const;

 private:
  const CLI::App* command_ = nullptr;
  std::vector<std::string> positional_values_, image_values_, video_values_;
  const CLI::Option *positionals_ = nullptr, *images_ = nullptr, *videos_ = nullptr;
  bool with_question_ = false;
};

/// --max-tokens --temperature --top-p --top-k --min-p --repetition-penalty --seed --stop --json-schema
/// --regex …
void add_generation_flags(CLI::App& command, GenerationConfig& config, std::string& json_schema_file);
void read_json_schema(GenerationConfig& config, const std::string& json_schema_file);

/// Takes a finite number from `low` (itself only when `with_low`) to `high`. CLI11's own checks let nan
/// through.
CLI::Validator number_between(double low, double high, bool with_low = true);
/// Takes a whole number that fits 64 bits unsigned; CLI11 alone wraps -1 and cuts what is larger.
CLI::Validator seed_number();

/// "8GiB", "512M", "1.5g", "1048576" -> bytes. @throws Error(kInvalidArgument).
uint64_t parse_bytes(const std::string& text);
/// "90", "1:30", "0:01:30.5" -> seconds. @throws Error(kInvalidArgument).
double parse_seconds(const std::string& text);

/// Folder of the model shipped with vl3, beside the executable or in the source tree it was built in; ""
/// without one.
std::filesystem::path embedded_model();

}  // namespace vl3::cli
