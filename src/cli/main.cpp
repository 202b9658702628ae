#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

#include "cli/commands.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/log.h"
#include "core/printable.h"
#include "vl3/error.h"
#include "vl3/version.h"

namespace vl3::cli {
namespace {

constexpr int kFailure = 1, kUsage = 2, kStopped = 130;  // as a shell says of Ctrl-C

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kCancelled:
      return kStopped;
    default:
      return kFailure;
  }
}

// Warnings of the library, one line each, on stderr.
void log_to_stderr() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_pattern("vl3: %l: %v");
  logger().sinks().push_back(sink);
  logger().set_level(spdlog::level::warn);
  const char* set = std::getenv("VL3_LOG");
  if (set == nullptr) return;
  const spdlog::level::level_enum level = spdlog::level::from_str(set);  // "off" for what it does not know
  VL3_CHECK(level != spdlog::level::off || std::string_view(set) == "off", kInvalidArgument,
            "VL3_LOG is \"{}\": expected trace, debug, info, warning, error, critical or off", set);
  logger().set_level(level);
}

// A closed standard stream's number would go to the next file opened, and the answer into that file.
void keep_standard_streams() {
  for (const auto& [fd, mode] : {std::pair(0, O_WRONLY), std::pair(1, O_RDONLY), std::pair(2, O_WRONLY)}) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", mode);  // the lowest free number: this one
  }
}

// One line, with the command whose help knows more.
std::string usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::string text = error.what(), command = "vl3";
  if (!app.get_subcommands().empty()) {
    command += " " + app.get_subcommands().front()->get_name();
  } else if (argc > 1) {
    // CLI11 says only "A subcommand is required", also where there is an unknown one or a flag before it.
    text = fmt::format("unknown {} \"{}\"", argv[1][0] == '-' ? "flag" : "command", argv[1]);
  }
  return printable(text) + "; see " + command + " --help";
}

int run(int argc, char** argv) {
  CLI::App app("VideoLLaMA3 without Python: ask about images, documents, charts and videos.", "vl3");
  app.set_version_flag("--version", std::string("vl3 ") + kVersion);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  add_ask(app);
  add_chat(app);
  add_plan(app);
  add_inspect(app);
  add_trace(app);
  add_convert(app);
  add_quantize(app);
  add_pull(app);
  add_bench(app);
  add_train(app);
  add_eval(app);
  add_curate(app);
  add_serve(app);
  add_synth(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    write_out(app.help());
  } catch (const CLI::CallForVersion& version) {
    print_out("{}\n", version.what());
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();  // the command has said why
  } catch (const CLI::ParseError& error) {
    print_err("vl3: {}\n", usage_error(app, error, argc, argv));
    return kUsage;
  }
  return 0;
}

}  // namespace
}  // namespace vl3::cli

// jemalloc's settings: what was freed stays mapped until return_freed_memory(). Activations of 10 MB and more
// would else go back to the system and come again page by page, a quarter of the time of an encoder or a
// prefill.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:-1,muzzy_decay_ms:0";

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write, not the end of the program
  std::signal(SIGXFSZ, SIG_IGN);  // so is a file that may not grow
  vl3::cli::keep_standard_streams();
  try {
    vl3::cli::log_to_stderr();
    return vl3::cli::run(argc, argv);
  } catch (const vl3::cli::OutputError& error) {
    vl3::cli::print_err("vl3: {}\n", error.what());
  } catch (const vl3::Error& error) {
    vl3::cli::print_err("vl3: {}: {}\n", vl3::error_code_name(error.code()), error.what());
    return vl3::cli::exit_status(error.code());
  } catch (const std::bad_alloc&) {
    vl3::cli::print_err("vl3: limit reached: out of memory\n");
  } catch (const std::exception& error) {
    vl3::cli::print_err("vl3: internal: {}\n",
                        std::string(error.what()).substr(0, std::string(error.what()).find('\n')));
  }
  return vl3::cli::kFailure;
}
