#include "cli/flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "cli/output.h"
#include "core/ascii.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "hub/hub.h"
#include "net/url.h"
#include "text/conversation.h"

namespace vl3::cli {
namespace {

/// A validator that lets parse errors through as usage errors.
CLI::Validator parses(const std::string& name, void (*check)(const std::string&)) {
  return CLI::Validator(
      [check](std::string& text) -> std::string {
        try {
          check(text);
        } catch (const Error& error) {
          return error.what();
        }
        return "";
      },
      name);
}

void read_into(CLI::App& command, const std::string& flag, std::optional<double>& seconds,
               const std::string& help) {
  command
      .add_option_function<std::string>(
          flag, [&seconds](const std::string& text) { seconds = parse_seconds(text); }, help)
      ->check(parses("TIME", [](const std::string& text) { parse_seconds(text); }));
}

// What stands where the question belongs, "" for a question.
std::string_view named_medium(const std::string& text) {
  std::error_code unreadable;
  if (text == "-") return "stdin";
  if (std::filesystem::is_regular_file(text, unreadable)) return "a file";
  if (std::filesystem::is_directory(text, unreadable)) return "a folder";
  return net::is_web_address(text) || text.starts_with("data:") ? "an address" : "";
}

}  // namespace

CLI::Validator number_between(double low, double high, bool with_low) {
  const std::string range = fmt::format("{} {}, at most {}", with_low ? "at least" : "above", low, high);
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        const bool whole = end == text.c_str() + text.size() && !text.empty();
        const bool good = whole && value <= high && (with_low ? value >= low : value > low);
        return good ? "" : fmt::format("\"{}\": expected a number {}", text, range);
      },
      range);
}

CLI::Validator seed_number() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc() && end == text.data() + text.size()) return "";
        return fmt::format("\"{}\": expected a whole number from 0 to {}", text, UINT64_MAX);
      },
      "");
}

uint64_t parse_bytes(const std::string& text) {
  size_t used = 0;
  double number = -1;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  const std::string unit = ascii_lower(std::string_view(text).substr(std::min(used, text.size())));
  double factor = 0;
  if (unit.empty() || unit == "b") factor = 1;
  if (unit == "k" || unit == "kb" || unit == "kib") factor = 1024.0;
  if (unit == "m" || unit == "mb" || unit == "mib") factor = 1024.0 * 1024;
  if (unit == "g" || unit == "gb" || unit == "gib") factor = 1024.0 * 1024 * 1024;
  VL3_CHECK(number >= 0 && factor > 0 && number * factor < 1e18, kInvalidArgument,
            "\"{}\": expected a size like 8GiB, 512M or a number of bytes", text);
  return static_cast<uint64_t>(number * factor);
}

double parse_seconds(const std::string& text) {
  double total = 0;
  size_t begin = 0;
  int fields = 0;
  bool good = !text.empty();
  while (good && begin <= text.size()) {
    const size_t end = std::min(text.find(':', begin), text.size());
    const std::string field = text.substr(begin, end - begin);
    good = !field.empty() && field.find_first_not_of("0123456789.") == std::string::npos &&
           std::count(field.begin(), field.end(), '.') <= 1 && field != "." && field.size() < 16 &&
           ++fields <= 3;
    if (good) total = total * 60 + std::strtod(field.c_str(), nullptr);
    begin = end + 1;
  }
  VL3_CHECK(good, kInvalidArgument, "\"{}\": expected seconds (12.5) or a time (1:30, 0:01:30.5)", text);
  return total;
}

std::filesystem::path embedded_model() {
  std::error_code error;
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/vl3/models/tiny", "../../../models/tiny"}) {
    const std::filesystem::path folder = bin / place;
    if (std::filesystem::exists(folder / "config.json", error)) return folder.lexically_normal();
  }
  return {};
}

void ModelFlags::add(CLI::App& command) {
  command
      .add_option("--model", options.model,
                  "Checkpoint folder, or ORG/NAME as fetched by `vl3 pull`; ORG/NAME@REVISION for another "
                  "branch, tag or commit than main (default: $VL3_MODEL, else the embedded model)")
      ->option_text("DIR|ORG/NAME");
  command
      .add_option("--dtype", options.dtype, "Weights as they are computed with (default: the checkpoint's)")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}));
  command
      .add_option("--kv-cache-dtype", options.kv_cache_dtype,
                  "Keys and values as they are kept: int8 takes half of bfloat16's memory (default: as "
                  "weights are computed with)")
      ->check(CLI::IsMember({"auto", "int8"}));
  command.add_option("--device", options.device, "cpu, cuda or cuda:N (default: cpu)");
  command
      .add_option("--flow", options.flow,
                  "Rules of preprocessing and prompt (default: the checkpoint's layout)")
      ->check(CLI::IsMember({"remote", "native"}));
  command.add_option("--threads", options.threads, "Threads (default: one a core)")
      ->check(CLI::Range(1, 1024));
}

std::filesystem::path ModelFlags::folder() const {
  std::string model = options.model;
  if (model.empty()) {
    const char* set = std::getenv("VL3_MODEL");
    if (set != nullptr) model = set;
  }
  if (model.empty()) {
    std::filesystem::path embedded = embedded_model();
    VL3_CHECK(!embedded.empty(), kNotFound,
              "no embedded model beside this program: give --model DIR or set VL3_MODEL");
    return embedded;
  }
  if (std::filesystem::is_directory(model)) return model;
  const std::optional<hub::ModelName> name = hub::parse_model_name(model);
  VL3_CHECK(name, kNotFound,
            "--model {}: no such folder, and not a name of the form ORG/NAME or ORG/NAME@REVISION", model);
  return hub::find_cached(name->repo_id, name->revision);
}

Engine ModelFlags::load() const {
  EngineOptions resolved = options;
  const std::filesystem::path chosen = folder();
  resolved.model = chosen.string();
  // The embedded model says what it is wherever it speaks.
  if (chosen == embedded_model() && std::filesystem::exists(chosen / "NOTICE")) {
    print_err("vl3: {}", read_file(chosen / "NOTICE", 4096));
  }
  return Engine::load(resolved);
}

void MediaFlags::add(CLI::App& command, bool with_question) {
  command_ = &command;
  with_question_ = with_question;
  positionals_ =
      command
          .add_option("MEDIA", positional_values_,
                      with_question ? "Media files, URLs, frame folders or - (stdin), then the question"
                                    : "Media files, URLs, frame folders or - (stdin)")
          ->option_text(with_question ? "... QUESTION" : "...")
          ->expected(0, 4096);
  images_ =
      command
          .add_option("--image", image_values_, "An image, wherever it stands among the media (repeatable)")
          ->option_text("F")
          ->expected(1)
          ->allow_extra_args(false)
          ->take_all();
  videos_ = command.add_option("--video", video_values_, "A video (repeatable)")
                ->option_text("F")
                ->expected(1)
                ->allow_extra_args(false)
                ->take_all();
  command
      .add_option("--messages", messages,
                  "OpenAI-style messages instead: roles, text, images, videos in any mix")
      ->option_text("F.json");
  command.add_option("--media-root", media_root, "Where relative paths in --messages start (default: here)");
  command.add_option("--fps", options.fps, "Sampled frames a second of video")
      ->check(number_between(0, 1000, false));
  command.add_option("--max-frames", options.max_frames, kMaxFramesHelp)->check(CLI::Range(1, 65536));
  read_into(command, "--start", options.start, "Begin in the video: seconds or 1:30");
  read_into(command, "--end", options.end, "End in the video");
  command.add_option("--max-visual-tokens", options.max_visual_tokens, "Visual tokens of all media at most")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  CLI::Option* prune_threshold = command
                                     .add_option("--prune-threshold", options.prune.threshold,
                                                 "Video tokens whose pixels changed no more than this (mean "
                                                 "difference, 0-510) are dropped (0.1)")
                                     ->check(number_between(0, 1e6));
  CLI::Option* prune_reference = command
                                     .add_option("--prune-reference", options.prune.reference,
                                                 "What a token is compared with (previous)")
                                     ->check(CLI::IsMember({"previous", "last-kept"}));
  CLI::Option* prune_to =
      command
          .add_option("--prune-to", options.prune.max_tokens,
                      "Smallest threshold with which the videos keep at most so many tokens")
          ->option_text("TOKENS")
          ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command
      .add_flag_function(
          "--no-prune", [this](int64_t) { options.prune.enabled = false; }, "Keep every video token")
      ->excludes(prune_to)
      ->excludes(prune_threshold)
      ->excludes(prune_reference);
  command.add_flag("--allow-private-addresses", options.limits.allow_private_addresses,
                   "URLs may name loopback and private hosts");
  command
      .add_option("--timeout", options.limits.timeout_s,
                  "Seconds a download or a silent decoder may take (60)")
      ->check(number_between(0, 1e6, false));
}

void MediaFlags::add_prompt(CLI::App& command) {
  command.add_option("--system", system, "System prompt");
  command.add_flag("--no-system-prompt", no_system_prompt,
                   "Leave the checkpoint's habitual system prompt out");
  command.add_flag("--parse-special", options.parse_special_in_text,
                   "Text may name special tokens such as <|im_end|>");
  CLI::Option* max_ram =
      command
          .add_option_function<std::string>(
              "--max-ram", [this](const std::string& text) { options.max_ram_bytes = parse_bytes(text); },
              "Refuse what is predicted to need more memory (8GiB, 512M)")
          ->check(parses("SIZE", [](const std::string& text) {
            VL3_CHECK(parse_bytes(text) > 0, kInvalidArgument,
                      "\"{}\": expected a size above 0; leave --max-ram out for no limit", text);
          }));
  command
      .add_flag("--fit", options.fit, "With --max-ram: lower the number of frames until it fits, and say so")
      ->needs(max_ram);
}

Conversation MediaFlags::conversation() const {
  if (!messages.empty()) {
    VL3_CHECK(positionals_->count() + images_->count() + videos_->count() == 0 && system.empty(),
              kInvalidArgument,
              "--messages holds the whole conversation: leave media, question and --system out");
    Conversation parsed = text::parse_openai_messages(read_json_file(messages), messages);
    text::set_media_root(parsed, media_root);
    return parsed;
  }
  // parse_order() has one entry a value, so media keep the order they were written in.
  std::vector<std::string> positionals = positional_values_;
  std::string question;
  if (with_question_) {
    VL3_CHECK(!positionals.empty(), kInvalidArgument,
              "no question: write it last, in quotes, as in: vl3 ask clip.mp4 \"What happens?\"");
    question = positionals.back();
    const std::string_view medium = named_medium(question);
    VL3_CHECK(medium.empty(), kInvalidArgument,
              "\"{}\" is {}: where is the question? Write it last, in quotes", question, medium);
    positionals.pop_back();
  }
  std::vector<ContentPart> parts;
  size_t next_positional = 0, next_image = 0, next_video = 0;
  for (const CLI::Option* option : command_->parse_order()) {
    if (option == positionals_ && next_positional < positionals.size()) {
      parts.push_back(media_part(positionals[next_positional++]));
    } else if (option == images_ && next_image < image_values_.size()) {
      parts.push_back(image_part(image_values_[next_image++]));
    } else if (option == videos_ && next_video < video_values_.size()) {
      parts.push_back(video_part(video_values_[next_video++]));
    }
  }
  VL3_CHECK(with_question_ || !parts.empty(), kInvalidArgument,
            "no media: name files, URLs or frame folders, or give --messages F.json");
  const auto stdins =
      std::count_if(parts.begin(), parts.end(), [](const ContentPart& part) { return part.media == "-"; });
  VL3_CHECK(stdins <= 1, kInvalidArgument, "- (stdin) is given {} times: it can be read once", stdins);
  if (with_question_) parts.push_back(text_part(question));
  Conversation result;
  if (!system.empty()) result.push_back({Role::kSystem, {text_part(system)}, true});
  result.push_back(user_message(std::move(parts)));
  return result;
}

void MediaFlags::note_idle_flags(const std::vector<MediumReceipt>& media) const {
  const auto is_video = [](const MediumReceipt& medium) { return medium.kind == "video"; };
  if (std::ranges::any_of(media, is_video)) return;
  std::vector<std::string> idle;
  for (const char* flag : {"--fps", "--max-frames", "--start", "--end", "--prune-threshold",
                           "--prune-reference", "--prune-to", "--no-prune"}) {
    if (command_->count(flag) > 0) idle.emplace_back(flag);
  }
  if (!idle.empty()) print_err("vl3: note: there is no video, {} changed nothing\n", fmt::join(idle, ", "));
}

void add_generation_flags(CLI::App& command, GenerationConfig& config, std::string& json_schema_file) {
  command.add_option("--max-tokens", config.max_tokens, "Tokens of the answer at most (1024)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--temperature", config.temperature, "0 = greedy (default: the checkpoint's)")
      ->check(number_between(0, 100));
  command.add_option("--top-p", config.top_p, "Nucleus sampling")->check(number_between(0, 1));
  command.add_option("--top-k", config.top_k, "0 = off")->check(CLI::Range(0, 1 << 20));
  command.add_option("--min-p", config.min_p, "Relative floor of probability")->check(number_between(0, 1));
  command.add_option("--repetition-penalty", config.repetition_penalty, "1 = off")
      ->check(number_between(0.01, 100));
  command
      .add_option("--prompt-lookup", config.prompt_lookup_num_tokens,
                  "Tokens guessed at once from what stood before, 0 = off (default: 7 for large models)")
      ->check(CLI::Range(0, 7));
  command.add_option("--seed", config.seed, "Equal seeds give equal answers (0)")->check(seed_number());
  command.add_option("--stop", config.stop, "Ends the answer where this text appears (repeatable)")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command.add_option("--json-schema", json_schema_file, "The answer is JSON of this schema")
      ->option_text("F");
  command.add_flag("--json-object", config.json_object, "The answer is a JSON object");
  command.add_option("--regex", config.regex, "The answer matches this regular expression");
  command.add_flag("--loop-guard", config.loop_guard, "End an answer that repeats itself");
  command.add_flag("--ignore-eos", config.ignore_eos, "Go on to --max-tokens");
}

void read_json_schema(GenerationConfig& config, const std::string& json_schema_file) {
  if (json_schema_file.empty()) return;
  config.json_schema = read_file(json_schema_file, 1 << 20);
  VL3_CHECK(!config.json_schema.empty(), kInvalidArgument, "{}: is empty, a JSON schema is expected",
            json_schema_file);
}

}  // namespace vl3::cli
