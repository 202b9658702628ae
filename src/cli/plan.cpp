// vl3 plan: what an ask would cost; the exit status says whether it fits.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/report.h"
#include "core/check.h"
#include "engine/report_json.h"

namespace vl3::cli {
namespace {

struct PlanCommand {
  ModelFlags model;
  MediaFlags media;
  int64_t max_tokens = 1024;
  bool json = false, measure = false;

  void run() {
    const Conversation conversation = media.conversation();
    AskOptions options = media.options;
    options.generation.max_tokens = max_tokens;
    if (media.no_system_prompt) options.add_system_prompt = false;
    const Plan plan = model.load().plan(conversation, options, measure);
    media.note_idle_flags(plan.media);
    for (const std::string& warning : plan.warnings) print_err("vl3: note: {}\n", warning);
    if (json) {
      print_out("{}\n", engine::to_json(plan).dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    } else {
      print_out("{}", plan_text(plan));
    }
    VL3_CHECK(plan.fits, kResourceExhausted, "{}", fmt::join(plan.notes, "; "));
  }
};

}  // namespace

void add_plan(CLI::App& app) {
  auto plan = std::make_shared<PlanCommand>();
  CLI::App* command =
      app.add_subcommand("plan", "What an ask would cost: frames, times, tokens, memory, time");
  plan->model.add(*command);
  plan->media.add(*command, /*with_question=*/false);
  plan->media.add_prompt(*command);
  command->add_option("--max-tokens", plan->max_tokens, "Tokens of the answer at most (1024)")
      ->check(CLI::Range(1, 1 << 20));
  command->add_flag("--measure", plan->measure, "Decode the videos to count the tokens that pruning keeps");
  command->add_flag("--json", plan->json, "As JSON");
  command->callback([plan] { plan->run(); });
}

}  // namespace vl3::cli
