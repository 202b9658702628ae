// vl3 synth: generated pictures, documents, charts, texts and clips with questions and answers; a fixed test
// set; scores.
#include <fmt/format.h>

#include <ctime>
#include <memory>
#include <sstream>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/file.h"
#include "synth/benchmark.h"
#include "synth/collection.h"
#include "synth/sheet.h"
#include "synth/writer.h"
#include "text/bpe_trainer.h"

namespace vl3::cli {
namespace {

// "scene.colour,ocr@large,video.when@f5@f8" -> entries of a mixture, alike in weight.
std::vector<synth::MixtureEntry> parse_kinds(const std::string& list) {
  std::vector<synth::MixtureEntry> mixture;
  std::istringstream stream(list);
  for (std::string entry; std::getline(stream, entry, ',');) {
    std::istringstream parts(entry);
    synth::MixtureEntry read;
    std::getline(parts, read.kind, '@');
    for (std::string level; std::getline(parts, level, '@');) read.levels.push_back(level);
    VL3_CHECK(!read.kind.empty(), kInvalidArgument, "--kinds: \"{}\" has an empty entry", list);
    mixture.push_back(std::move(read));
  }
  VL3_CHECK(!mixture.empty(), kInvalidArgument, "--kinds: names no kind");
  return mixture;
}

struct SynthCommand {
  std::string out, kinds, split, options_file, video_codec = "h264", score, benchmark_dir, sheet, seed,
                                               tokenizer;
  uint64_t count = 100;
  int per_kind = 100;
  int64_t merges = 768;
  std::optional<double> file_fps;
  double rate_s = 0.5;
  bool single = false, benchmark = false, official = false, collection = false, list = false, json = false,
       rate = false;

  synth::SynthOptions options() const {
    synth::SynthOptions options;
    if (!options_file.empty()) options = synth::options_from_json(read_json_file(options_file), options_file);
    if (!seed.empty()) options.seed = std::stoull(seed);
    // A test set is of what training never saw, unless somebody asks for another.
    if (!split.empty())
      options.split = synth::split_of(split);
    else if (benchmark && options_file.empty())
      options.split = synth::Split::kHeldout;
    if (!kinds.empty()) options.mixture = parse_kinds(kinds);
    synth::check(options);
    return options;
  }

  void print_list() const {
    for (const synth::Family& family : synth::families()) {
      print_out("{}\n", family.name);
      for (const synth::Level& level : family.levels) print_out("  @{:<12}{}\n", level.name, level.summary);
      for (const synth::Kind& kind : family.kinds) {
        const auto name = [&](int level) { return family.levels[static_cast<size_t>(level)].name; };
        print_out("  {:<26}{:<22}{}\n", fmt::format("{}.{}", family.name, kind.name),
                  kind.first_level == kind.last_level
                      ? std::string(name(kind.first_level))
                      : fmt::format("{} to {}", name(kind.first_level), name(kind.last_level)),
                  kind.example);
      }
    }
  }

  void print_score() const {
    VL3_CHECK(!benchmark_dir.empty(), kInvalidArgument,
              "--score: name the test set with --benchmark-dir DIR");
    const synth::Scores scores =
        synth::score(synth::read_benchmark(benchmark_dir), synth::read_predictions(score));
    print_out("{}", json ? synth::to_json(scores).dump(2) + "\n" : synth::table_of(scores));
  }

  void print_rate() const {
    print_out("{:<26}{:<12}{:>14}\n", "kind", "level", "samples/core-s");
    const synth::Generator all(options());
    for (const auto& draw : all.draws()) {
      const std::string kind = fmt::format("{}.{}", draw.family->name, draw.kind->name);
      const std::string level(draw.family->levels[static_cast<size_t>(draw.level)].name);
      synth::SynthOptions own = options();
      own.mixture = {{std::string(draw.family->name) + ".*", {level}, 1}};
      const synth::Generator generator(own);
      (void)generator.sample(kind, level, 0);  // fonts and tables
      // Processor time, so that a busy machine does not count.
      const std::clock_t start = std::clock();
      double seconds = 0;
      uint64_t samples = 0;
      while (seconds < rate_s) {
        (void)generator.sample(kind, level, ++samples);
        seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      }
      print_out("{:<26}{:<12}{:>14.0f}\n", kind, level, static_cast<double>(samples) / seconds);
    }
  }

  void draw_sheet() const {
    const synth::Generator generator(options());
    std::vector<synth::Sample> samples;
    VL3_CHECK(count <= 400, kInvalidArgument, "--count: {} samples do not fit a sheet; 400 at most", count);
    for (uint64_t i = 0; i < count; ++i) samples.push_back(generator.sample(i));
    write_file_atomically(sheet, synth::draw_sheet(samples));
  }

  void make_tokenizer() const {
    const synth::Generator generator(options());
    text::WordCounts counts;
    for (uint64_t i = 0; i < count; ++i) {
      for (const synth::Question& question : generator.sample(i).questions) {
        counts.add(question.text);
        counts.add(question.answer);
      }
    }
    print_out("{} tokens\n", text::write_tokenizer(text::train_bpe(counts, merges), tokenizer));
  }

  void run() const {
    const int modes = (list ? 1 : 0) + (score.empty() ? 0 : 1) + (rate ? 1 : 0) + (sheet.empty() ? 0 : 1) +
                      (tokenizer.empty() ? 0 : 1) + (out.empty() ? 0 : 1);
    VL3_CHECK(modes == 1, kInvalidArgument,
              "say one of --out DIR, --sheet F, --score F, --tokenizer DIR, --list and --rate{}",
              modes == 0 ? "" : fmt::format("; found {}", modes));
    VL3_CHECK(!benchmark || !out.empty(), kInvalidArgument, "--benchmark: name its folder with --out DIR");
    VL3_CHECK(!official || benchmark, kInvalidArgument, "--official is for --benchmark");
    VL3_CHECK(!collection || !out.empty(), kInvalidArgument, "--collection: name its folder with --out DIR");
    VL3_CHECK(!collection || !benchmark, kInvalidArgument, "--collection and --benchmark: say one of them");
    if (list) return print_list();
    if (!score.empty()) return print_score();
    if (rate) return print_rate();
    if (!tokenizer.empty()) return make_tokenizer();
    if (!sheet.empty()) return draw_sheet();
    const synth::VideoFiles video = synth::video_files_of(video_codec);
    ProgressLine line;
    const auto progress = [&line](uint64_t done, uint64_t total) {
      line.show({"samples", static_cast<int64_t>(done), static_cast<int64_t>(total)});
    };
    if (collection)
      synth::write_collection({out, count, options().seed}, progress);
    else if (benchmark)
      synth::write_benchmark(options(), {out, per_kind, video, file_fps, official}, progress);
    else
      synth::write_dataset(options(), {out, count, video, file_fps, single}, progress);
  }
};

}  // namespace

void add_synth(CLI::App& app) {
  auto synth = std::make_shared<SynthCommand>();
  CLI::App* command = app.add_subcommand(
      "synth", "Generated images, documents, charts, texts and clips with questions and answers");
  command
      ->add_option("--out", synth->out,
                   "New folder for media/, annotations.jsonl (official format), facts.jsonl")
      ->option_text("DIR");
  command->add_option("--count", synth->count, "Samples (100)")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000'000}))
      ->option_text("N");
  command->add_option("--seed", synth->seed, "Equal seeds give equal samples (0)")
      ->check(seed_number())
      ->option_text("S");
  command
      ->add_option("--kinds", synth->kinds,
                   "What to generate, as scene,ocr.read@large@small,video.when (all)")
      ->option_text("LIST");
  command->add_option("--split", synth->split, "train, heldout or all (train; heldout with --benchmark)")
      ->option_text("NAME");
  command
      ->add_option("--options", synth->options_file,
                   "JSON of further options and weights: see docs/guides/synth.md")
      ->option_text("F");
  command->add_option("--video-codec", synth->video_codec, "h264 (mp4), or png: a folder of frames (h264)")
      ->option_text("NAME");
  command
      ->add_option("--file-fps", synth->file_fps, "Frames a second of clips (4; png: as the options' fps, 1)")
      ->check(number_between(0.1, 60))
      ->option_text("FPS");
  command
      ->add_option(
          "--tokenizer", synth->tokenizer,
          "Make a byte-level BPE tokenizer of the questions and answers of --count samples in this folder")
      ->option_text("DIR");
  command->add_option("--merges", synth->merges, "Of --tokenizer: pairs that become tokens (768)")
      ->check(CLI::Range(int64_t{1}, int64_t{100'000}))
      ->option_text("N");
  command->add_flag("--single", synth->single,
                    "One annotation a question instead of a conversation a medium");
  command->add_flag("--benchmark", synth->benchmark, "Write a fixed test set to --out instead");
  command->add_flag("--official", synth->official,
                    "The test set in the files of published benchmarks as well, in official/");
  command->add_flag("--collection", synth->collection,
                    "Write a raw image-text collection with known faults to --out instead, for vl3 curate");
  command->add_option("--per-kind", synth->per_kind, "Items a kind of the test set (100)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("N");
  command
      ->add_option("--score", synth->score, "Score lines of {\"id\", \"prediction\"} against --benchmark-dir")
      ->option_text("F");
  command->add_option("--benchmark-dir", synth->benchmark_dir, "Folder of the test set")->option_text("DIR");
  command->add_flag("--json", synth->json, "Scores as JSON");
  command->add_flag("--list", synth->list, "The kinds, their levels and an example question each");
  command->add_option("--sheet", synth->sheet, "Draw --count samples with questions and answers into one PNG")
      ->option_text("F");
  command->add_flag("--rate", synth->rate, "Measure samples a core-second of every kind and level");
  command->callback([synth] { synth->run(); });
}

}  // namespace vl3::cli
