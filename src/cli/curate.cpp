// vl3 curate: raw image-text collections to training data.
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/curate_models.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/launch_environment.h"
#include "core/recipe_lines.h"
#include "curate/pipeline.h"
#include "curate/recipe.h"

namespace vl3::cli {
namespace {

curate::ShardShare parse_share(const std::string& text) {
  if (text.empty()) {
    const std::optional<LaunchEnvironment> launched = launched_process();
    return launched ? curate::ShardShare{launched->rank, launched->world_size} : curate::ShardShare{};
  }
  const size_t slash = text.find('/');
  const auto number = [&text](size_t begin, size_t end) -> int64_t {
    const std::string part = text.substr(begin, end - begin);
    const bool good =
        !part.empty() && part.size() < 8 && part.find_first_not_of("0123456789") == std::string::npos;
    return good ? std::stoll(part) : -1;
  };
  const curate::ShardShare share{slash == std::string::npos ? -1 : number(0, slash),
                                 slash == std::string::npos ? -1 : number(slash + 1, text.size())};
  VL3_CHECK(share.index >= 0 && share.index < share.count, kInvalidArgument,
            "--shard {}: expected I/N with I from 0 to N - 1", text);
  return share;
}

struct Curate {
  std::string recipe, output, data_root, shard;
  std::vector<std::string> inputs, set;
  bool merge = false, captions = false, json = false, quiet = false;

  // Flags are keys of the recipe: they come before --set, which wins.
  std::vector<std::string> overrides() const {
    std::vector<std::string> all;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (i == 0) all.push_back("input.path=[]");
      all.push_back(fmt::format("input.path.{}={}", i, recipe::toml_quoted(inputs[i])));
    }
    if (!data_root.empty()) all.push_back("input.data_root=" + recipe::toml_quoted(data_root));
    if (!output.empty()) all.push_back("output=" + recipe::toml_quoted(output));
    all.insert(all.end(), set.begin(), set.end());
    return all;
  }

  void run() const {
    VL3_CHECK(!std::filesystem::is_directory(recipe), kInvalidArgument,
              "{}: is a folder; RECIPE is a .toml file, folders go to --input", recipe);
    const curate::CurateConfig config = curate::load_recipe(recipe, overrides());
    const curate::ShardShare share = parse_share(shard);
    VL3_CHECK(!merge || shard.empty(), kInvalidArgument, "--merge and --shard: shards first, then one merge");
    const bool is_share = !merge && (share.count > 1 || !shard.empty());
    VL3_CHECK(!captions || is_share, kInvalidArgument,
              "--captions: says what a --shard does; a merge makes them too");
    curate::Steps steps;
    if (is_share)
      steps = captions ? curate::Steps{false, true, true, false} : curate::Steps{true, false, false, false};
    if (merge) steps.score = false;

    ProgressLine progress;
    InterruptGuard interrupts(InterruptGuard::kSetsFlag);
    curate::CurateHooks hooks;
    hooks.models = load_curate_models;
    hooks.captioner = make_captioner;
    hooks.note = [&](const std::string& line) {
      progress.clear();
      if (!quiet) print_err("vl3: {}\n", line);
    };
    hooks.progress = [&](const curate::ScoreProgress& state) {
      progress.show({"items", state.done, state.total});
    };
    hooks.step_progress = [&](const char* step, int64_t done, int64_t total) {
      progress.show({step, done, total});
    };
    hooks.cancelled = [] { return InterruptGuard::interrupted(); };
    if (is_share && shard.empty())
      hooks.note(
          fmt::format("process {} of {}, as the launcher says: its share only", share.index, share.count));
    const curate::CurateReport report =
        curate::curate(config, steps, merge ? curate::ShardShare{} : share, hooks);
    progress.clear();
    if (json) {
      print_out("{}\n", curate::to_json(report).dump());
    } else if (report.wrote) {
      print_table(report, config);
    }
    if (is_share) hooks.note("when every share is done: the same command with --merge in place of --shard");
  }

  static void print_table(const curate::CurateReport& report, const curate::CurateConfig& config) {
    print_out("{} items, {} kept\n", report.items, report.kept);
    for (const auto& [reason, count] : report.reasons) print_out("  {:<28}{:>12}\n", reason, count);
    print_out("{0}/kept.jsonl, {0}/dropped.jsonl, {0}/report.html\n", config.output);
  }
};

}  // namespace

void add_curate(CLI::App& app) {
  auto curate = std::make_shared<Curate>();
  CLI::App* command = app.add_subcommand(
      "curate", "High-quality image-text data out of raw collections: filter, deduplicate, balance, caption");
  command->add_option("RECIPE", curate->recipe, "TOML file, see recipes/curate/; none: the defaults");
  command->add_option("--input", curate->inputs, "Folder, .jsonl, .json or WebDataset .tar (repeatable)")
      ->option_text("DIR|FILE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command
      ->add_option("--data-root", curate->data_root, "Before relative media paths; nothing outside is opened")
      ->option_text("DIR");
  command->add_option("--output", curate->output, "Folder for kept.jsonl, dropped.jsonl, report.html")
      ->option_text("DIR");
  command
      ->add_option("--set", curate->set,
                   "Override a key of the recipe, e.g. aspect.max_ratio=2.5 (repeatable)")
      ->option_text("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_option("--shard", curate->shard, "Only score every N-th shard from the I-th on; then --merge")
      ->option_text("I/N");
  command->add_flag("--captions", curate->captions,
                    "With --shard: make this share's new captions, after all is scored");
  command->add_flag("--merge", curate->merge, "Select, caption and write what the --shard runs have scored");
  command->add_flag("--json", curate->json, "Counts and seconds as JSON");
  command->add_flag("--quiet", curate->quiet, "No lines about what is being done");
  command->callback([curate] { curate->run(); });
}

}  // namespace vl3::cli
