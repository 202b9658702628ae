// The subcommands. Each adds itself to the app and runs when it was chosen; none has logic of its own.
#pragma once

#include <CLI/CLI.hpp>

namespace vl3::cli {

void add_ask(CLI::App& app);
void add_plan(CLI::App& app);
void add_trace(CLI::App& app);
void add_chat(CLI::App& app);
void add_inspect(CLI::App& app);
void add_bench(CLI::App& app);
void add_convert(CLI::App& app);
void add_pull(CLI::App& app);
void add_train(CLI::App& app);
void add_serve(CLI::App& app);
void add_synth(CLI::App& app);
void add_eval(CLI::App& app);
void add_quantize(CLI::App& app);
void add_curate(CLI::App& app);

}  // namespace vl3::cli
