// vl3 convert: one checkpoint layout, dtype or sharding to another; models to start training from.
#include "weights/convert.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/printable.h"
#include "weights/compose.h"
#include "weights/random_init.h"

namespace vl3::cli {
namespace {

struct Convert {
  std::string source, out, to, dtype, vision, lm, max_shard_size = "5000000000";
  bool random = false, scale_residual = false;
  uint64_t seed = 0;
  const CLI::App* command = nullptr;

  // --vision V --lm L OUT: the only positional is the new folder.
  void compose() {
    VL3_CHECK(!vision.empty() && !lm.empty(), kInvalidArgument,
              "--vision and --lm go together: a model is made of both");
    VL3_CHECK(out.empty() && !random, kInvalidArgument, "with --vision and --lm give only OUT{}",
              random ? ", not --random" : "");
    VL3_CHECK(!scale_residual, kInvalidArgument, "--scale-residual goes with --random");
    weights::ComposeOptions options;
    options.to = to == "native" ? Flow::kNative : Flow::kRemote;
    if (!dtype.empty()) options.dtype = weights::parse_torch_dtype(dtype);
    options.seed = seed;
    options.max_shard_size = parse_bytes(max_shard_size);
    const weights::ComposeReport report = weights::compose_checkpoint(vision, lm, source, options);
    fmt::print(
        stderr, "{}: {} tensors, {} bytes, {}; a fresh projector, {} tensors of the sources left out\n",
        source, report.tensors, report.bytes, weights::torch_dtype_name(report.dtype), report.dropped.size());
  }

  void run() {
    if (!vision.empty() || !lm.empty()) return compose();
    VL3_CHECK(random || (!scale_residual && command->count("--seed") == 0), kInvalidArgument,
              "{} goes with --random", scale_residual ? "--scale-residual" : "--seed");
    VL3_CHECK(!random || to.empty(), kInvalidArgument,
              "--random keeps SRC's layout: leave --to out, and convert the result");
    VL3_CHECK(!out.empty(), kInvalidArgument, "give the folder to read and the folder to write: SRC OUT");
    const InterruptGuard guard(InterruptGuard::kSetsFlag);
    ProgressLine line;
    uint64_t written = 0;
    const weights::ByteProgress progress = [&](uint64_t done, uint64_t total) {
      // Thrown, so that the unfinished folder is removed.
      VL3_CHECK(!InterruptGuard::interrupted(), kCancelled, "stopped; nothing was written");
      written = done;
      line.show({"write MiB", static_cast<int64_t>(done >> 20), static_cast<int64_t>(total >> 20)});
    };
    if (random) {
      weights::RandomInitOptions options;
      options.seed = seed;
      options.scale_residual = scale_residual;
      if (!dtype.empty()) options.dtype = weights::parse_torch_dtype(dtype);
      options.max_shard_size = parse_bytes(max_shard_size);
      options.progress = progress;
      weights::write_random_checkpoint(std::filesystem::path(source), out, options);
      line.clear();
      print_err("{}: random weights of seed {}, {} bytes, {}\n", printable(out), seed, written,
                weights::torch_dtype_name(options.dtype));
      return;
    }
    VL3_CHECK(!to.empty(), kInvalidArgument, "give the layout to write: --to native or --to remote");
    weights::ConvertOptions options;
    options.to = to == "native" ? Flow::kNative : Flow::kRemote;
    if (!dtype.empty()) options.dtype = weights::parse_torch_dtype(dtype);
    options.max_shard_size = parse_bytes(max_shard_size);
    options.progress = progress;
    const weights::ConvertReport report = weights::convert_checkpoint(source, out, options);
    line.clear();
    print_err("{}: {} tensors, {} bytes, {}\n", printable(out), report.tensors, report.bytes,
              weights::torch_dtype_name(report.dtype));
  }
};

}  // namespace

void add_convert(CLI::App& app) {
  auto convert = std::make_shared<Convert>();
  CLI::App* command =
      app.add_subcommand("convert", "Write a checkpoint in the other layout, dtype or sharding");
  convert->command = command;
  command->add_option("SRC", convert->source, "Checkpoint folder; left out with --vision and --lm")
      ->required();
  command->add_option("OUT", convert->out, "New folder; appears whole or not at all");
  command
      ->add_option(
          "--to", convert->to,
          "Layout: native (transformers) or remote (official code); required without --random, --vision")
      ->check(CLI::IsMember({"native", "remote"}));
  command->add_option("--dtype", convert->dtype, "Of all weights (default: each keeps its own)")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  command->add_option("--max-shard-size", convert->max_shard_size, "Bytes of a file at most (5000000000)");
  command->add_flag("--random", convert->random, "Fresh random weights for SRC's config instead of its own");
  command->add_option("--seed", convert->seed, "Of --random and of a fresh projector (0)")
      ->check(seed_number());
  command->add_flag(
      "--scale-residual", convert->scale_residual,
      "Of --random: projections into the residual stream begin smaller, as deep models want them");
  command
      ->add_option("--vision", convert->vision,
                   "With --lm: vision tower of a new model (SigLIP, VL3-SigLIP-NaViT, VideoLLaMA3)")
      ->option_text("DIR");
  command->add_option("--lm", convert->lm, "With --vision: its language model (Qwen2, Qwen2.5)")
      ->option_text("DIR");
  command->callback([convert] { convert->run(); });
}

}  // namespace vl3::cli
