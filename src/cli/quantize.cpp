// vl3 quantize: a checkpoint in 8 or 4 bits, with its loss.
#include "quantize/quantize.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/printable.h"
#include "engine/out_of_memory.h"
#include "quantize/report.h"

namespace vl3::cli {
namespace {

int bits_of(const std::string& name) { return name == "int8" ? 8 : name == "int4" ? 4 : 0; }

struct Quantize {
  std::string source, out, vision = "int8", lm = "int8", max_shard_size = "5000000000";
  quantize::Options options;
  bool json = false;
  CLI::Option* group = nullptr;

  void run() {
    const InterruptGuard guard(InterruptGuard::kSetsFlag);
    ProgressLine line;
    VL3_CHECK(lm == "int4" || !group->count(), kInvalidArgument, "--group is of --lm int4");
    options.bits.vision = bits_of(vision);
    options.bits.lm = bits_of(lm);
    options.max_shard_size = parse_bytes(max_shard_size);
    options.progress = [&](const std::string& stage, int64_t done, int64_t total) {
      // Thrown, so that the unfinished folder is removed.
      VL3_CHECK(!InterruptGuard::interrupted(), kCancelled, "stopped; nothing was written");
      line.show(fmt::format("{} {}/{}", stage, done, total), false);
    };
    options.judged = [&](const quantize::Report& report) {
      line.clear();
      print_out("{}", json ? quantize::to_json(report).dump(2) + "\n" : quantize::table_of(report));
    };
    const quantize::Report report =
        engine::naming_out_of_memory([&] { return quantize::quantize_checkpoint(source, out, options); },
                                     "use fewer samples (--samples, --measured)");
    print_err("{}: {} MiB, before {} MiB{}\n", printable(out), report.bytes_after >> 20,
              report.bytes_before >> 20,
              report.within_limits() ? "" : "; the loss is above the limits (--force)");
  }
};

}  // namespace

void add_quantize(CLI::App& app) {
  auto quantize = std::make_shared<Quantize>();
  CLI::App* command =
      app.add_subcommand("quantize", "Write a checkpoint in 8 or 4 bits and say what that costs");
  command->add_option("MODEL", quantize->source, "Checkpoint folder")->required();
  command->add_option("OUT", quantize->out, "New folder; appears whole or not at all")->required();
  command->add_option("--vision", quantize->vision, "Vision encoder and projector: int8 or none (int8)")
      ->check(CLI::IsMember({"int8", "none"}));
  command
      ->add_option("--lm", quantize->lm,
                   "Language model: int8, int4 or none (int8); its embeddings and head: int8")
      ->check(CLI::IsMember({"int8", "int4", "none"}));
  quantize->group =
      command->add_option("--group", quantize->options.bits.group, "Inputs that share a scale, of int4 (128)")
          ->check(CLI::IsMember({32, 64, 128}));
  command->add_option("--samples", quantize->options.samples, "Generated samples for calibration (32)")
      ->check(CLI::Range(2, 100000));
  command->add_option("--measured", quantize->options.measured, "Others that the loss is measured on (24)")
      ->check(CLI::Range(1, 100000));
  command
      ->add_option("--max-kl", quantize->options.max_kl, "Mean logit KL that is still accepted, nats (0.05)")
      ->check(number_between(0, 1e6));
  command
      ->add_option("--min-agreement", quantize->options.min_agreement,
                   "Share of equal greedy tokens that is still accepted (0.9)")
      ->check(number_between(0, 1));
  command->add_flag("--force", quantize->options.force, "Write also what is beyond these limits");
  command->add_option("--max-shard-size", quantize->max_shard_size, "Bytes of a file at most (5000000000)");
  command->add_flag("--json", quantize->json, "The verdict as JSON, as quantize.json has it");
  command->callback([quantize] { quantize->run(); });
}

}  // namespace vl3::cli
