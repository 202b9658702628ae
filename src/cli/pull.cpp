// vl3 pull: a checkpoint from a hub into the usual cache.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "hub/hub.h"

namespace vl3::cli {
namespace {

struct Pull {
  std::string repo, revision = "main";
  hub::PullOptions options;
  std::vector<std::string> include;

  void run() {
    if (!include.empty()) options.include = include;
    ProgressLine line;
    // A signal ends the program at once, also while the hub is silent: the next pull goes on from here.
    const InterruptGuard guard(InterruptGuard::kEndsUntilPolled);
    options.on_progress = [&](const hub::Progress& progress) {
      const std::string stage = progress.file + " MiB";
      line.show({stage, static_cast<int64_t>(progress.done_bytes >> 20),
                 static_cast<int64_t>(progress.total_bytes >> 20)});
    };
    const hub::PullResult result = hub::pull(repo, revision, options);
    line.clear();
    print_out("{}\n", result.snapshot.string());
  }
};

}  // namespace

void add_pull(CLI::App& app) {
  auto pull = std::make_shared<Pull>();
  CLI::App* command =
      app.add_subcommand("pull", "Fetch a checkpoint into the Hugging Face cache; prints its folder");
  command->add_option("ORG/NAME", pull->repo, "Repository, e.g. DAMO-NLP-SG/VideoLLaMA3-2B")->required();
  command->add_option("--revision", pull->revision, "Branch, tag or commit (main)");
  command->add_option("--endpoint", pull->options.endpoint, "Address of the hub (default: $HF_ENDPOINT)");
  command->add_option("--cache-dir", pull->options.cache_dir, "Default: as Hugging Face's own clients");
  command->add_option("--include", pull->include, "Only files of this pattern (repeatable)")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--exclude", pull->options.exclude, "No files of this pattern (repeatable)")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_flag_function(
      "--offline", [pull](int64_t) { pull->options.offline = true; }, "Only what is cached");
  command->add_option("--token", pull->options.token, "Access token (default: $HF_TOKEN)");
  command->callback([pull] { pull->run(); });
}

}  // namespace vl3::cli
