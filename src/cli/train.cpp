// vl3 train: a recipe's run, or what it would need.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/json.h"
#include "core/seconds.h"
#include "train/machine_speed.h"
#include "train/planner.h"
#include "train/recipe.h"
#include "train/run_data.h"
#include "train/stop_signal.h"
#include "train/trainer.h"
#include "weights/model_config.h"

namespace vl3::cli {
namespace {

struct Train {
  std::string recipe, resume = "auto";
  std::vector<std::string> set;
  std::optional<int64_t> max_steps;
  bool plan = false, json = false;
  std::optional<double> flops, sample_tokens;
  int64_t processes = 1;

  void run() {
    if (max_steps) set.push_back(fmt::format("max_steps={}", *max_steps));
    const train::TrainConfig config = train::load_recipe(recipe, set);
    train::check_output(config, recipe);
    if (plan) return print_plan(config);
    run_training(config);
  }

  void run_training(const train::TrainConfig& config) const {
    ProgressLine progress;
    std::optional<OutputError> lost_output;
    const auto start = std::chrono::steady_clock::now();
    train::TrainHooks hooks;
    hooks.on_step = [&](const train::StepMetrics& metrics, int64_t total, int64_t first) {
      progress.show(train::progress_text(metrics, total, first, seconds_since(start), progress.width()),
                    metrics.step >= total);
      if (!json || lost_output) return;
      try {
        print_out("{}\n", train::to_json(metrics).dump());
      } catch (const OutputError& error) {  // no reason to lose what was trained
        lost_output = error;
        train::StopSignal::ask();
      }
    };
    hooks.on_note = [&](const std::string& line) {
      progress.clear();
      print_err("vl3: {}\n", line);
    };
    const train::TrainReport report = train::train(config, resume, hooks);
    progress.clear();
    if (report.writes) print_report(report, seconds_since(start));
    if (lost_output) throw OutputError(*lost_output);
    VL3_CHECK(
        report.end != train::RunEnd::kStopped, kCancelled, "stopped at step {} of {}: {}", report.steps,
        report.total_steps,
        report.steps > 0 ? "the same command goes on from the checkpoint" : "there is nothing to go on from");
  }

  static void print_report(const train::TrainReport& report, double elapsed_s) {
    const std::string output = report.output.string();
    if (report.bad_samples > 0)
      print_err("vl3: {} bad samples were left out: {}\n", report.bad_samples,
                (report.output / "bad_samples.jsonl").string());
    if (report.end == train::RunEnd::kNothingToDo)
      fmt::print(
          stderr,
          "vl3: nothing to do: the run has finished after {} steps; the model is in {}. Another output "
          "starts anew, --resume DIR trains on from a checkpoint\n",
          report.steps, output);
    if (report.end == train::RunEnd::kFinished)
      print_err("vl3: {} steps in {}, last loss {:.4f}; the model is in {}\n", report.steps,
                train::duration_text(elapsed_s), report.last_loss, output);
  }

  static std::filesystem::path model_to_plan(const train::TrainConfig& config) {
    try {
      return train::resolve_model(config);
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("{}. A plan needs no weights: --set model=DIR with a folder of the "
                              "model's config files will do",
                              error.what()));
    }
  }

  void print_plan(const train::TrainConfig& config) const {
    const std::filesystem::path folder = model_to_plan(config);
    const weights::ModelConfig model = weights::load_model_config(folder);
    const train::SampleCount count = train::count_samples(config.data);
    train::PlanInputs inputs{.mean_sample_tokens = sample_tokens, .processes = processes};
    if (count.missing.empty() && count.uncounted.empty()) inputs.samples = count.samples;
    std::string not_measured;
    if (count.missing.empty() && !sample_tokens) {
      try {
        inputs.means = train::measure_samples(config, model);
      } catch (const Error& error) {  // of a model folder without a tokenizer, say
        not_measured = error.what();
      }
    }
    inputs.flops_per_s = flops ? *flops : train::measure_flops(config.dtype, config.device);
    const train::TrainPlan made = train::make_train_plan(config, model, inputs);
    if (json) {
      OrderedJson out = train::to_json(made);
      out["name"] = config.name;
      out["model"] = folder.string();
      out["flops_per_s"] = *inputs.flops_per_s;
      if (inputs.samples) out["samples"] = *inputs.samples;
      out["missing"] = count.missing;
      print_out("{}\n", out.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
      return;
    }
    print_out("{} from {}\n{}", config.name, folder.string(), train::plan_text(made));
    print_out("  {}: {:.3g} FLOP/s\n", flops ? "given" : "this machine's matrix products",
              *inputs.flops_per_s);
    if (inputs.samples) print_out("  samples an epoch: {}\n", count.samples);
    if (!not_measured.empty()) print_out("  no sample could be measured: {}\n", not_measured);
    for (const std::string& file : count.missing) print_out("  not there: {}\n", file);
    for (const std::string& file : count.uncounted) print_out("  not counted: {}\n", file);
  }
};

}  // namespace

void add_train(CLI::App& app) {
  auto train = std::make_shared<Train>();
  CLI::App* command =
      app.add_subcommand("train", "Run a training recipe: the four stages, full fine-tuning or LoRA");
  command->add_option("RECIPE", train->recipe, "TOML file, see recipes/")->required();
  command->add_option("--set", train->set, "Override a key of the recipe, e.g. lr.llm_lr=2e-5 (repeatable)")
      ->option_text("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command->add_flag("--plan", train->plan, "Only say what would be trained, in what memory and time");
  command
      ->add_option("--resume", train->resume,
                   "auto: from the newest checkpoint, never, or a checkpoint's folder (auto)")
      ->option_text("auto|never|DIR");
  command->add_option("--max-steps", train->max_steps, "The same as --set max_steps=N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command->add_option("--flops", train->flops, "Of --plan: FLOP/s of one process (default: measured here)")
      ->check(number_between(0, 1e30, false));
  command
      ->add_option("--sample-tokens", train->sample_tokens,
                   "Of --plan: mean tokens of a sample (default: measured on some; without data the longest)")
      ->check(number_between(0, 1e12, false));
  command->add_option("--processes", train->processes, "Of --plan: processes that share a step (1)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  command->add_flag("--json", train->json, "As JSON");
  command->callback([train] { train->run(); });
}

}  // namespace vl3::cli
