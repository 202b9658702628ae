// The outside surface: commands and flags are promises, so that a change here has to be made twice.
#include <gtest/gtest.h>

#include <set>

#include "cli/run_vl3.h"

namespace vl3::test {
namespace {

using Flags = std::set<std::string>;

Flags operator+(Flags all, const Flags& more) {
  all.insert(more.begin(), more.end());
  return all;
}

const Flags kModel{"--help", "--model", "--dtype", "--kv-cache-dtype", "--device", "--flow", "--threads"};
const Flags kSampling{"--fps", "--max-frames"};
const Flags kMedia =
    kSampling + Flags{"--image",           "--video",    "--messages",          "--media-root",
                      "--start",           "--end",      "--max-visual-tokens", "--prune-threshold",
                      "--prune-reference", "--prune-to", "--no-prune",          "--allow-private-addresses",
                      "--timeout"};
const Flags kPrompt{"--system", "--no-system-prompt", "--parse-special", "--max-ram", "--fit"};
const Flags kGeneration{
    "--max-tokens",  "--temperature", "--top-p",      "--top-k",        "--min-p",
    "--seed",        "--stop",        "--regex",      "--loop-guard",   "--repetition-penalty",
    "--json-schema", "--json-object", "--ignore-eos", "--prompt-lookup"};

struct Command {
  const char* name;
  Flags flags;
};

const std::vector<Command> kCommands{
    {"ask", kModel + kMedia + kPrompt + kGeneration + Flags{"--json", "--receipt"}},
    {"chat", kModel + kSampling + kGeneration + Flags{"--system"}},
    {"plan", kModel + kMedia + kPrompt + Flags{"--max-tokens", "--measure", "--json"}},
    {"inspect", kModel + kMedia + Flags{"--out"}},
    {"trace", kModel + Flags{"--messages", "--case", "--media-root", "--out", "--greedy-tokens",
                             "--logits-positions"}},
    {"convert",
     {"--help", "--to", "--dtype", "--max-shard-size", "--random", "--seed", "--scale-residual", "--vision",
      "--lm"}},
    {"quantize",
     {"--help", "--vision", "--lm", "--group", "--samples", "--measured", "--max-kl", "--min-agreement",
      "--force", "--max-shard-size", "--json"}},
    {"pull",
     {"--help", "--revision", "--endpoint", "--cache-dir", "--include", "--exclude", "--offline", "--token"}},
    {"train",
     {"--help", "--set", "--plan", "--resume", "--max-steps", "--flops", "--sample-tokens", "--processes",
      "--json"}},
    {"eval", kModel + kSampling +
                 Flags{"--tasks", "--data-root", "--root", "--output", "--limit", "--dry-run", "--scoring",
                       "--preset", "--max-visual-tokens", "--max-tokens", "--batch-size", "--endpoint-model",
                       "--api-key-env", "--concurrency", "--video-as", "--judge", "--judge-model",
                       "--judge-key-env", "--json"}},
    {"curate",
     {"--help", "--input", "--data-root", "--output", "--set", "--shard", "--captions", "--merge", "--json",
      "--quiet"}},
    {"serve",
     {"--help",
      "--model",
      "--dtype",
      "--kv-cache-dtype",
      "--device",
      "--flow",
      "--threads",
      "--host",
      "--port",
      "--api-key",
      "--api-key-file",
      "--served-model-name",
      "--allowed-hosts",
      "--allowed-origins",
      "--no-page",
      "--max-connections",
      "--max-body",
      "--request-timeout",
      "--shutdown-timeout",
      "--log-prompts",
      "--quiet",
      "--allowed-media-domains",
      "--allowed-local-media-path",
      "--media-timeout",
      "--max-media-bytes",
      "--max-pixels",
      "--max-video-seconds",
      "--decode-timeout",
      "--decoder-memory",
      "--max-frames",
      "--limit-mm-per-prompt",
      "--kv-cache-bytes",
      "--max-num-seqs",
      "--max-num-batched-tokens",
      "--encode-patches",
      "--max-queue",
      "--default-max-tokens",
      "--vision-cache-bytes",
      "--vision-cache-dir",
      "--vision-cache-disk-bytes"}},
    {"bench", kModel + Flags{"--only", "--repeats", "--json"}},
    {"synth", {"--help",      "--out",           "--count",      "--seed",    "--kinds",     "--split",
               "--options",   "--video-codec",   "--file-fps",   "--single",  "--benchmark", "--per-kind",
               "--score",     "--benchmark-dir", "--json",       "--list",    "--sheet",     "--rate",
               "--tokenizer", "--merges",        "--collection", "--official"}},
};

// What the lines of a help text begin with: "  -h,--help   Print…".
std::set<std::string> first_words(const std::string& help, const std::string& heading) {
  std::set<std::string> words;
  bool inside = false;
  for (const std::string& line : lines_of(help)) {
    if (!line.starts_with(' ')) inside = line == heading;
    const size_t begin = line.find_first_not_of(' ');
    if (!inside || begin != 2) continue;
    std::string word = line.substr(begin, line.find(' ', begin) - begin);
    words.insert(word.substr(word.find(',') == std::string::npos ? 0 : word.find(',') + 1));
  }
  return words;
}

class CliSurface : public testing::TestWithParam<Command> {};

TEST_P(CliSurface, HasExactlyTheseFlags) {
  const RunResult run = run_vl3({GetParam().name, "--help"});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(first_words(run.out, "Options:"), GetParam().flags) << run.out;
}

INSTANTIATE_TEST_SUITE_P(Commands, CliSurface, testing::ValuesIn(kCommands),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(CliSurface, HasExactlyTheseCommands) {
  const RunResult run = run_vl3({"--help"});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.err, "");
  std::set<std::string> commands;
  for (const Command& command : kCommands) commands.insert(command.name);
  EXPECT_EQ(first_words(run.out, "Subcommands:"), commands) << run.out;
  EXPECT_EQ(first_words(run.out, "Options:"), (Flags{"--help", "--version"}));
}

// The official index rule thins out by seconds, not by frames.
TEST(CliSurface, SaysWhereMaxFramesIsNoBound) {
  for (const char* command : {"ask", "chat", "eval"})
    EXPECT_NE(run_vl3({command, "--help"}).out.find("--fps may give a folder, GIF or window below 1 s more"),
              std::string::npos)
        << command;
}

TEST(CliSurface, SaysItsVersion) {
  const RunResult run = run_vl3({"--version"});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_TRUE(run.out.starts_with("vl3 ") && run.out.ends_with("\n")) << run.out;
}

}  // namespace
}  // namespace vl3::test
