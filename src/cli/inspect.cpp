// vl3 inspect: a picture and JSON of what the model sees of media.
#include "engine/inspect.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "core/file.h"
#include "engine/out_of_memory.h"
#include "engine/runtime.h"

namespace vl3::cli {
namespace {

struct Inspect {
  ModelFlags model;
  MediaFlags media;
  std::string out;

  void run() {
    const Conversation conversation = media.conversation();
    check_no_input(out, media.messages);
    for (const Message& message : conversation) {
      for (const ContentPart& part : message.parts) {
        check_no_input(out, part.media);
        for (const std::string& frame : part.frames) check_no_input(out, frame);
      }
    }
    const auto runtime = model.load_runtime();
    const engine::Inspection inspection = engine::naming_out_of_memory(
        [&] { return engine::inspect(*runtime, conversation, media.options); },
        "use fewer frames (--max-frames) or fewer visual tokens (--max-visual-tokens)");
    if (!out.empty()) write_file_atomically(out, inspection.png);
    print_out("{}\n", inspection.json.dump(1, ' ', false, OrderedJson::error_handler_t::replace));
  }
};

}  // namespace

void add_inspect(CLI::App& app) {
  auto inspect = std::make_shared<Inspect>();
  CLI::App* command =
      app.add_subcommand("inspect", "What the model sees: sampled frames, grid, kept tokens (JSON, PNG)");
  inspect->model.add(*command);
  inspect->media.add(*command, /*with_question=*/false);
  command->add_option("--out", inspect->out, "Picture: frames with their token grid, dropped tokens dimmed")
      ->option_text("F.png");
  command->callback([inspect] { inspect->run(); });
}

}  // namespace vl3::cli
