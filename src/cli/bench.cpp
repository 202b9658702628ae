// vl3 bench: speed of the model's parts on this machine.
#include "engine/bench.h"

#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "engine/out_of_memory.h"

namespace vl3::cli {
namespace {

struct Bench {
  ModelFlags model;
  engine::BenchOptions options;
  bool json = false;

  void run() {
    const auto runtime = model.load_runtime();
    const OrderedJson result = engine::naming_out_of_memory([&] { return engine::bench(*runtime, options); },
                                                            "measure one thing at a time (--only)");
    if (json) {
      print_out("{}\n", result.dump(2));
      return;
    }
    for (const auto& [key, value] : result.items()) {
      if (!value.is_object()) continue;
      const auto rate = value.begin();
      print_out("{:13} {:10.1f} {} (median of {})\n", key, rate.value().get<double>(), rate.key(),
                value["repeats"].get<int>());
    }
    print_out("{:13} {:10.2f} s after the start\n{:13} {:10.0f} MiB\n", "ready",
              result["ready_s"].get<double>(), "peak memory",
              result["peak_rss_bytes"].get<double>() / (1 << 20));
  }
};

}  // namespace

void add_bench(CLI::App& app) {
  auto bench = std::make_shared<Bench>();
  CLI::App* command =
      app.add_subcommand("bench", "Speed of preprocessing, encoder, prefill and decoding here");
  bench->model.add(*command);
  command
      ->add_option("--only", bench->options.only,
                   "Keys, comma-separated: " + fmt::format("{}", fmt::join(engine::bench_keys(), ", ")))
      ->delimiter(',');
  command->add_option("--repeats", bench->options.repeats, "Timed runs (3)")->check(CLI::Range(1, 1000));
  command->add_flag("--json", bench->json, "As JSON");
  command->callback([bench] { bench->run(); });
}

}  // namespace vl3::cli
