// vl3 convert: one checkpoint layout, dtype or sharding to another; fresh random models.
#include "weights/convert.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "weights/random_init.h"

namespace vl3::cli {
namespace {

struct Convert {
  std::string source, out, to, dtype, max_shard_size = "5000000000";
  bool random = false;
  uint64_t seed = 0;

  void run() {
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
      if (!dtype.empty()) options.dtype = weights::parse_torch_dtype(dtype);
      options.max_shard_size = parse_bytes(max_shard_size);
      options.progress = progress;
      weights::write_random_checkpoint(std::filesystem::path(source), out, options);
      line.clear();
      fmt::print(stderr, "{}: random weights of seed {}, {} bytes, {}\n", one_line(out), seed, written,
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
    fmt::print(stderr, "{}: {} tensors, {} bytes, {}\n", one_line(out), report.tensors, report.bytes,
               weights::torch_dtype_name(report.dtype));
  }
};

}  // namespace

void add_convert(CLI::App& app) {
  auto convert = std::make_shared<Convert>();
  CLI::App* command =
      app.add_subcommand("convert", "Write a checkpoint in the other layout, dtype or sharding");
  command->add_option("SRC", convert->source, "Checkpoint folder")->required();
  command->add_option("OUT", convert->out, "New folder; appears whole or not at all")->required();
  command
      ->add_option("--to", convert->to,
                   "Layout: native (transformers) or remote (official code); required without --random")
      ->check(CLI::IsMember({"native", "remote"}));
  command->add_option("--dtype", convert->dtype, "Of all weights (default: each keeps its own)")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  command->add_option("--max-shard-size", convert->max_shard_size, "Bytes of a file at most (5000000000)");
  command->add_flag("--random", convert->random, "Fresh random weights for SRC's config instead of its own");
  command->add_option("--seed", convert->seed, "Of --random (0)")->check(seed_number());
  command->callback([convert] { convert->run(); });
}

}  // namespace vl3::cli
