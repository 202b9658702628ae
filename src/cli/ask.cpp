// vl3 ask: one answer on stdout.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "core/check.h"

namespace vl3::cli {
namespace {

struct Ask {
  ModelFlags model;
  MediaFlags media;
  GenerationConfig generation;
  std::string json_schema;
  bool json = false, receipt = false;

  void run() {
    read_json_schema(generation, json_schema);
    const Conversation conversation = media.conversation();
    AskOptions options = media.options;
    options.generation = generation;
    if (media.no_system_prompt) options.add_system_prompt = false;
    const Engine engine = model.load();

    ProgressLine progress;
    const InterruptGuard guard;
    Callbacks callbacks;
    callbacks.on_progress = [&](const Progress& p) { progress.show(p); };
    callbacks.cancelled = [] { return InterruptGuard::interrupted(); };
    if (!json) {
      callbacks.on_text = [&](std::string_view text) {
        progress.clear();
        fmt::print("{}", text);
        std::fflush(stdout);
      };
    }
    const Answer answer = engine.ask(conversation, options, callbacks);
    progress.clear();
    if (json) {
      fmt::print("{}\n", to_json(answer).dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    } else {
      fmt::print("\n");
    }
    std::fflush(stdout);
    if (receipt && !json) fmt::print(stderr, "{}", receipt_text(answer.receipt));
    VL3_CHECK(answer.finish_reason != "cancelled", kCancelled, "stopped before the answer was whole");
  }
};

}  // namespace

void add_ask(CLI::App& app) {
  auto ask = std::make_shared<Ask>();
  CLI::App* command =
      app.add_subcommand("ask", "Ask about images, videos and text; the answer goes to stdout");
  ask->model.add(*command);
  ask->media.add(*command, /*with_question=*/true);
  add_generation_flags(*command, ask->generation, ask->json_schema);
  command->add_flag("--json", ask->json, "Answer, token ids, finish reason and receipt as JSON");
  command->add_flag("--receipt", ask->receipt, "After the answer, what it took (on stderr)");
  command->callback([ask] { ask->run(); });
}

}  // namespace vl3::cli
