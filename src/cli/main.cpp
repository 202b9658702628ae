#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cli/commands.h"
#include "core/log.h"
#include "vl3/error.h"
#include "vl3/version.h"

namespace vl3::cli {
namespace {

constexpr int kFailure = 1, kUsage = 2;

int exit_status(ErrorCode code) { return code == ErrorCode::kInvalidArgument ? kUsage : kFailure; }

// Warnings of the library, one line each, on stderr.
void log_to_stderr() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_pattern("vl3: %l: %v");
  logger().sinks().push_back(sink);
  const char* level = std::getenv("VL3_LOG");
  logger().set_level(level != nullptr ? spdlog::level::from_str(level) : spdlog::level::warn);
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
  add_pull(app);
  add_bench(app);
  add_train(app);
  add_synth(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    // CLI11 says only "A subcommand is required", also where there is an unknown one.
    const bool unknown = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
    const Error shown(ErrorCode::kInvalidArgument,  // for its escapes: the text quotes the command line
                      unknown ? fmt::format("unknown command \"{}\"", argv[1]) : error.what());
    fmt::print(stderr, "vl3: {}\nRun `vl3 --help` or `vl3 COMMAND --help`.\n", shown.what());
    return kUsage;
  }
  return 0;
}

}  // namespace
}  // namespace vl3::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write, not the end of the program
  vl3::cli::log_to_stderr();
  try {
    const int status = vl3::cli::run(argc, argv);
    if (std::fflush(stdout) != 0)
      throw vl3::Error(vl3::ErrorCode::kInvalidArgument, "stdout cannot be written");
    return status;
  } catch (const vl3::Error& error) {
    fmt::print(stderr, "vl3: {}: {}\n", vl3::error_code_name(error.code()), error.what());
    return vl3::cli::exit_status(error.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "vl3: limit reached: out of memory; use --max-ram, fewer frames or fewer visual tokens\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "vl3: internal: {}\n",
               std::string(error.what()).substr(0, std::string(error.what()).find('\n')));
  }
  return vl3::cli::kFailure;
}
