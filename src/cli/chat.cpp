// vl3 chat: a conversation in the terminal, with media and history.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json.h"
#include "core/printable.h"
#include "media/data_url.h"
#include "media/png_writer.h"
#include "media/webcam.h"
#include "text/conversation.h"
#include "text/utf8.h"

namespace vl3::cli {
namespace {

constexpr const char* kHelp =
    "/image F                 show an image with the next question\n"
    "/video F [START-END]     show a video, or a part of it: /video clip.mp4 1:00-2:30\n"
    "/cam                     show a picture from the webcam (V4L2, /dev/video0)\n"
    "/frames                  frames the last answer saw, with kept tokens\n"
    "/plan                    what the media waiting for the next question would cost\n"
    "/system TEXT             set the system prompt (empty: none, not the checkpoint's either)\n"
    "/set KEY VALUE           temperature, top_p, top_k, min_p, repetition_penalty, seed, max_tokens;\n"
    "                         fps and max_frames of all videos\n"
    "/show                    settings and size of the conversation\n"
    "/save F, /load F         the conversation as messages JSON\n"
    "/clear                   forget the conversation\n"
    "/bye                     leave (also Ctrl-D); Ctrl-C stops an answer\n"
    "A file name with blanks may stand in quotes.\n";

OrderedJson to_json(const ContentPart& part) {
  if (part.kind == PartKind::kText) return {{"type", "text"}, {"text", part.text}};
  const bool image = part.kind == PartKind::kImage;
  OrderedJson json = {{"type", image ? "image" : "video"}};
  if (part.frames.empty()) {
    json[image ? "image" : "video"] = part.media;
  } else {
    json["video"] = part.frames;
  }
  const auto put = [&](const char* key, const auto& value) {
    if (value) json[key] = *value;
  };
  put("timestamp", part.timestamp);
  if (!part.timestamps.empty()) json["timestamps"] = part.timestamps;
  put("num_frames", part.num_frames);
  if (!part.source.empty()) json["source"] = part.source;
  put("fps", part.fps);
  put("max_frames", part.max_frames);
  put("start", part.start);
  put("end", part.end);
  return json;
}

OrderedJson to_json(const Conversation& conversation) {
  OrderedJson messages = OrderedJson::array();
  for (const Message& message : conversation) {
    if (message.content_was_string && message.parts.size() == 1) {
      messages.push_back({{"role", role_name(message.role)}, {"content", message.parts.front().text}});
      continue;
    }
    OrderedJson parts = OrderedJson::array();
    for (const ContentPart& part : message.parts) parts.push_back(to_json(part));
    messages.push_back({{"role", role_name(message.role)}, {"content", std::move(parts)}});
  }
  return messages;
}

// "12 rest", "'a b' rest" or "a b" -> the first word, which quotes may hold together, and what follows it.
// Without quotes the whole text is the word.
std::pair<std::string, std::string> unquoted(const std::string& text) {
  const char quote = text.front();
  const size_t end = quote == '"' || quote == '\'' ? text.find(quote, 1) : std::string::npos;
  if (end == std::string::npos) return {text, ""};
  const size_t rest = text.find_first_not_of(' ', end + 1);
  return {text.substr(1, end - 1), rest == std::string::npos ? "" : text.substr(rest)};
}

// Sets the window that a word like "1:00-2:30", "5-" or "-10" names; false, with nothing set, for other
// words.
bool read_window(const std::string& word, ContentPart& part) {
  const size_t dash = word.find('-');
  if (dash == std::string::npos || word.size() == 1) return false;
  std::optional<double> start, end;
  try {
    if (dash > 0) start = parse_seconds(word.substr(0, dash));
    if (dash + 1 < word.size()) end = parse_seconds(word.substr(dash + 1));
  } catch (const Error&) {
    return false;
  }
  part.start = start;
  part.end = end;
  return true;
}

// /video's argument: a name, which may hold blanks and dashes, and a window behind it.
ContentPart video_of(const std::string& text) {
  const auto [name, window] = unquoted(text);
  ContentPart part = video_part(name);
  if (name.size() != text.size()) {  // it was quoted
    VL3_CHECK(window.empty() || read_window(window, part), kInvalidArgument,
              "\"{}\": expected a window like 1:00-2:30 after the quoted name", window);
    return part;
  }
  std::error_code unreadable;
  const size_t space = text.rfind(' ');
  if (space == std::string::npos || std::filesystem::exists(text, unreadable)) return part;
  if (read_window(text.substr(space + 1), part))
    part.media = text.substr(0, text.find_last_not_of(' ', space) + 1);
  return part;
}

class Chat {
 public:
  /// @param own_limit  options.generation.max_tokens is the user's word.
  Chat(const Engine& engine, AskOptions options, std::string system, bool own_limit)
      : engine_(engine),
        session_(engine),
        options_(std::move(options)),
        system_(std::move(system)),
        own_limit_(own_limit) {}

  /// @return whether every line was taken and every answer is whole.
  bool run() {
    std::string line;
    // Without a person at the prompt Ctrl-C only is for answers.
    const bool prompt = isatty(STDIN_FILENO) != 0;
    std::optional<InterruptGuard> guard;
    if (prompt) guard.emplace(InterruptGuard::kPrompt);
    while (true) {
      if (prompt) print_err("{}", bold(">>> ", STDERR_FILENO));
      InterruptGuard::forget();
      if (!read_line(line)) {
        if (!InterruptGuard::interrupted()) return !failed_;
        print_err("\n(Ctrl-D or /bye leaves)\n");
        continue;
      }
      if (line.empty()) continue;
      try {
        if (line.front() != '/') {
          answer(line);
        } else if (!command(line)) {
          return !failed_;
        }
      } catch (const Error& error) {
        failed_ = true;
        print_err("vl3: {}: {}\n", error_code_name(error.code()), error.what());
      } catch (const OutputError&) {
        throw;
      } catch (const std::exception& error) {  // the conversation so far is worth more than this line
        failed_ = true;
        print_err("vl3: {}: {}\n", error_code_name(ErrorCode::kInternal), printable(error.what()));
      }
    }
  }

 private:
  // One line of stdin without its end; false at the end of stdin, or when a signal came.
  static bool read_line(std::string& line) {
    char* buffer = nullptr;
    size_t size = 0;
    const ssize_t length = ::getline(&buffer, &size, stdin);
    if (length > 0) line.assign(buffer, static_cast<size_t>(length));
    std::free(buffer);
    std::clearerr(stdin);
    for (const char end : {'\n', '\r'}) {
      if (!line.empty() && line.back() == end) line.pop_back();
    }
    return length > 0;
  }

  Conversation whole(const std::vector<ContentPart>& parts) const {
    Conversation conversation;
    if (!system_.empty()) conversation.push_back({Role::kSystem, {text_part(system_)}, true});
    conversation.insert(conversation.end(), history_.begin(), history_.end());
    if (!parts.empty()) conversation.push_back(user_message(parts));
    return conversation;
  }

  static void check_utf8(const std::string& text, const char* what) {
    const size_t at = text::find_invalid_utf8(text);
    VL3_CHECK(at >= text.size(), kInvalidArgument, "{}: byte {} is not UTF-8", what, at);
  }

  void answer(const std::string& question) {
    check_utf8(question, "the question");
    std::vector<ContentPart> parts = waiting_;
    parts.push_back(text_part(question));
    ProgressLine progress;
    Callbacks callbacks;
    callbacks.on_progress = [&](const Progress& p) { progress.show(p); };
    // Without a prompt, so without a guard of its own, an answer has one.
    std::optional<InterruptGuard> guard;
    if (isatty(STDIN_FILENO) == 0) guard.emplace(InterruptGuard::kSetsFlag);
    callbacks.cancelled = [] { return InterruptGuard::interrupted(); };
    callbacks.on_text = [&](std::string_view text) {
      progress.clear();
      write_out(text);
    };
    const Answer result = session_.ask(whole(parts), options_, callbacks);
    progress.clear();
    write_out("\n");
    if (result.finish_reason == "cancelled") print_err("(stopped)\n");
    const int64_t max_tokens = options_.generation.max_tokens;
    const bool by_limit = static_cast<int64_t>(result.token_ids.size()) >= max_tokens;
    const bool cut = result.finish_reason == "length";
    if (cut && by_limit) print_err("(cut at {} tokens; /set max_tokens raises it)\n", max_tokens);
    if (cut && !by_limit) print_err("(cut at the end of the model's context; /clear begins anew)\n");
    // As of ask: an answer cut where the user said so himself is what he asked for.
    const bool asked_for = options_.generation.ignore_eos || (by_limit && own_limit_);
    if (!result.constraint_met) print_err("(it does not satisfy its constraint)\n");
    if (result.finish_reason == "cancelled" || (cut && !asked_for) || !result.constraint_met) failed_ = true;
    last_ = result.receipt;
    history_.push_back(user_message(std::move(parts)));
    history_.push_back({Role::kAssistant, {text_part(result.text)}, true});
    waiting_.clear();
  }

  /// @return false to leave.
  bool command(const std::string& line) {
    std::istringstream words(line);
    std::string name, rest;
    words >> name;
    std::getline(words >> std::ws, rest);
    if (name == "/bye" || name == "/exit" || name == "/quit") return false;
    if (name == "/image") {
      wait_for_question(image_part(unquoted(need(rest, "/image F")).first));
    } else if (name == "/video") {
      wait_for_question(video_of(need(rest, "/video F [START-END]")));
    } else if (name == "/cam") {
      wait_for_question(image_part(webcam_picture()));
    } else if (name == "/frames") {
      write_out(frames_text());
    } else if (name == "/plan") {
      VL3_CHECK(!waiting_.empty(), kInvalidArgument,
                "nothing waits to be asked about: add media with /image or /video");
      const Plan plan = engine_.plan(whole(waiting_), options_);
      for (const std::string& warning : plan.warnings) print_err("vl3: note: {}\n", warning);
      write_out(plan_text(plan));
    } else if (name == "/system") {
      check_utf8(rest, "/system");
      system_ = rest;
      options_.add_system_prompt = rest.empty() ? std::optional(false) : std::nullopt;
    } else if (name == "/set") {
      set(rest);
    } else if (name == "/show") {
      show();
    } else if (name == "/save") {
      save(unquoted(need(rest, "/save F")).first);
    } else if (name == "/load") {
      load(unquoted(need(rest, "/load F")).first);
    } else if (name == "/clear") {
      history_.clear();
      waiting_.clear();
      last_ = {};
    } else if (name == "/help" || name == "/?") {
      write_out(kHelp);
    } else {
      VL3_FAIL(kInvalidArgument, "unknown command {}; /help lists them", name);
    }
    return true;
  }

  static std::string need(const std::string& argument, const char* usage) {
    VL3_CHECK(!argument.empty(), kInvalidArgument, "usage: {}", usage);
    return argument;
  }

  // Opened here so that a wrong path is reported at once, not with the next question.
  void wait_for_question(ContentPart part) {
    engine_.plan({user_message({part})}, options_);
    waiting_.push_back(std::move(part));
  }

  // As a data URL, so that the picture is saved with the conversation.
  static std::string webcam_picture() {
    return media::encode_data_url("image/png", media::encode_png(media::grab_webcam("/dev/video0")));
  }

  std::string frames_text() const {
    std::string text;
    for (const MediumReceipt& medium : last_.media) {
      text += fmt::format("{} {}\n", medium.kind, printable(medium.name));
      for (const FrameReceipt& frame : medium.frames) {
        text += fmt::format("  {:>8} kept {} of {}\n",
                            frame.time_s ? fmt::format("{:.1f} s", *frame.time_s) : "-", frame.kept,
                            frame.tokens);
      }
    }
    return text.empty() ? "no frames yet\n" : text;
  }

  void set(const std::string& text) {
    std::istringstream words(text);
    std::string key, value;
    words >> key >> value;
    double number = 0;
    size_t used = 0;
    try {
      number = std::stod(value, &used);
    } catch (const std::exception&) {
    }
    VL3_CHECK(!value.empty() && used == value.size() && std::abs(number) <= 1e15,
              kInvalidArgument,  // nor nan
              "usage: /set KEY NUMBER");
    const bool whole_only = key == "top_k" || key == "seed" || key == "max_tokens" || key == "max_frames";
    VL3_CHECK(!whole_only || number == std::trunc(number), kInvalidArgument,
              "/set {} {}: expected a whole number", key, value);
    VL3_CHECK(key != "seed" || number >= 0, kInvalidArgument, "/set seed {}: expected 0 or more", value);
    GenerationConfig& g = options_.generation;
    const AskOptions before = options_;
    if (key == "temperature")
      g.temperature = number;
    else if (key == "top_p")
      g.top_p = number;
    else if (key == "top_k")
      g.top_k = static_cast<int64_t>(number);
    else if (key == "min_p")
      g.min_p = number;
    else if (key == "repetition_penalty")
      g.repetition_penalty = number;
    else if (key == "seed")
      g.seed = static_cast<uint64_t>(number);
    else if (key == "max_tokens")
      g.max_tokens = static_cast<int64_t>(number);
    else if (key == "fps")
      options_.fps = number;
    else if (key == "max_frames")
      options_.max_frames = static_cast<int64_t>(number);
    else
      VL3_FAIL(kInvalidArgument, "/set {}: unknown; /help lists the keys", key);
    try {
      engine_.check(options_);
    } catch (...) {
      options_ = before;
      throw;
    }
    if (key == "max_tokens") own_limit_ = true;
  }

  void show() const {
    const GenerationConfig& g = options_.generation;
    const auto said = [](const auto& value) {
      return value ? fmt::format("{}", *value) : std::string("(checkpoint's)");
    };
    print_out(
        "temperature {}\ntop_p {}\ntop_k {}\nmin_p {}\nrepetition_penalty {}\nmax_tokens {}\nseed {}\nfps "
        "{}\nmax_frames {}\n",
        said(g.temperature), said(g.top_p), said(g.top_k), said(g.min_p), said(g.repetition_penalty),
        g.max_tokens, g.seed, said(options_.fps), said(options_.max_frames));
    print_out("system {}\nmessages {}\nmedia waiting {}\ntokens {} ({} were cached)\n",
              !system_.empty()             ? printable(system_)
              : options_.add_system_prompt ? "(none)"
                                           : "(checkpoint's)",
              history_.size(), waiting_.size(), last_.prompt_tokens, last_.cached_tokens);
  }

  // With the sampling that is set now, so that `ask --messages` sees the same frames.
  void save(const std::string& path) const {
    Conversation conversation = whole({});
    check_utf8(system_, "/save: the system prompt");
    for (Message& message : conversation) {
      for (ContentPart& part : message.parts) {
        check_utf8(part.media, "/save: a file's name");
        if (part.kind != PartKind::kVideo || !part.frames.empty() || part.num_frames) continue;
        if (!part.fps) part.fps = options_.fps;
        if (!part.max_frames) part.max_frames = options_.max_frames;
      }
    }
    write_file_atomically(path, to_json(conversation).dump(1) + "\n");
    if (!waiting_.empty()) print_err("(media that wait for a question are not saved)\n");
    if (system_.empty() && options_.add_system_prompt)
      print_err("(that there is no system prompt is not saved)\n");
  }

  void load(const std::string& path) {
    Conversation loaded = text::parse_openai_messages(read_json_file(path), path);
    std::string system;
    if (!loaded.empty() && loaded.front().role == Role::kSystem) {
      for (const ContentPart& part : loaded.front().parts) {
        VL3_CHECK(part.kind == PartKind::kText, kUnsupported,
                  "{}: media in the system message; ask --messages takes them", path);
        system += part.text;
      }
      loaded.erase(loaded.begin());
    }
    system_ = std::move(system);
    options_.add_system_prompt.reset();
    history_ = std::move(loaded);
    waiting_.clear();
  }

  const Engine& engine_;
  Session session_;
  AskOptions options_;
  std::string system_;
  bool own_limit_;
  bool failed_ = false;
  Conversation history_;
  std::vector<ContentPart> waiting_;
  Receipt last_;
};

struct ChatCommand {
  ModelFlags model;
  GenerationConfig generation;
  std::string system, json_schema;
  AskOptions options;
  const CLI::App* command = nullptr;

  void run() {
    read_json_schema(generation, json_schema);
    options.generation = generation;
    const Engine engine = model.load();
    engine.check(options);
    const bool person = isatty(STDIN_FILENO) != 0;
    if (person) print_err("{}\n/help lists the commands.\n", model.folder().string());
    const bool whole = Chat(engine, options, system, command->count("--max-tokens") > 0).run();
    // Each failure has been told where it came up; a person has seen them, a script looks at the status.
    if (!whole && !person) throw CLI::RuntimeError(1);
  }
};

}  // namespace

void add_chat(CLI::App& app) {
  auto chat = std::make_shared<ChatCommand>();
  CLI::App* command = app.add_subcommand("chat", "Talk about images and videos in the terminal");
  chat->command = command;
  chat->model.add(*command);
  add_generation_flags(*command, chat->generation, chat->json_schema);
  command->add_option("--system", chat->system, "System prompt");
  command->add_option("--fps", chat->options.fps, "Sampled frames a second of video")
      ->check(number_between(0, 1000, false));
  command->add_option("--max-frames", chat->options.max_frames, kMaxFramesHelp)->check(CLI::Range(1, 65536));
  command->callback([chat] { chat->run(); });
}

}  // namespace vl3::cli
