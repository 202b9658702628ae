// vl3 ask: one answer on stdout.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
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
  const CLI::App* command = nullptr;

  void run() {
    read_json_schema(generation, json_schema);
    const Conversation conversation = media.conversation();
    AskOptions options = media.options;
    options.generation = generation;
    if (media.no_system_prompt) options.add_system_prompt = false;
    const Engine engine = model.load();

    ProgressLine progress;
    const InterruptGuard guard(InterruptGuard::kEndsUntilPolled);
    Callbacks callbacks;
    callbacks.on_progress = [&](const Progress& p) {
      const bool fetching = p.stage == "open" || p.stage == "download" || p.stage == "read stdin";
      if (!fetching) InterruptGuard::polled();
      progress.show(p);
    };
    callbacks.cancelled = [] { return InterruptGuard::interrupted(); };
    if (!json) {
      callbacks.on_text = [&](std::string_view text) {
        progress.clear();
        write_out(text);
      };
    }
    const Answer answer = engine.ask(conversation, options, callbacks);
    progress.clear();
    media.note_idle_flags(answer.receipt.media);
    if (json) {
      print_out("{}\n", to_json(answer).dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    } else {
      write_out("\n");
    }
    if (receipt && !json) print_err("{}", receipt_text(answer.receipt));
    VL3_CHECK(answer.finish_reason != "cancelled", kCancelled, "stopped before the answer was whole");
    judge_length(answer);
  }

  // Status 0 stands for a whole answer. One cut where the user said so himself is what he asked for, unless
  // it breaks the constraint he gave as well.
  void judge_length(const Answer& answer) const {
    const bool cut = answer.finish_reason == "length" && !generation.ignore_eos;
    const bool by_limit = static_cast<int64_t>(answer.token_ids.size()) >= generation.max_tokens;
    const std::string where = by_limit ? fmt::format("at --max-tokens {}; raise it", generation.max_tokens)
                                       : std::string("at the end of the model's context; ask about less");
    VL3_CHECK(answer.constraint_met, kResourceExhausted,
              "the answer does not satisfy its constraint: it was cut {}",
              answer.finish_reason == "length" ? where : "by --stop or --loop-guard");
    VL3_CHECK(!cut || (by_limit && command->count("--max-tokens") > 0), kResourceExhausted,
              "the answer was cut {}", where);
    if (cut) print_err("vl3: the answer was cut {}\n", where);
  }
};

}  // namespace

void add_ask(CLI::App& app) {
  auto ask = std::make_shared<Ask>();
  CLI::App* command =
      app.add_subcommand("ask", "Ask about images, videos and text; the answer goes to stdout");
  ask->command = command;
  ask->model.add(*command);
  ask->media.add(*command, /*with_question=*/true);
  ask->media.add_prompt(*command);
  add_generation_flags(*command, ask->generation, ask->json_schema);
  command->add_flag("--json", ask->json, "Answer, token ids, finish reason and receipt as JSON");
  command->add_flag("--receipt", ask->receipt, "After the answer, what it took (on stderr)");
  command->callback([ask] { ask->run(); });
}

}  // namespace vl3::cli
