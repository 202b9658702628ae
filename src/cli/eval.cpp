// vl3 eval: the paper's benchmarks, scored as the paper scores them; two runs compared.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <sstream>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/launch_environment.h"
#include "eval/benchmarks/synth.h"
#include "eval/run/compare.h"
#include "eval/run/conversation.h"
#include "eval/run/endpoint.h"
#include "eval/run/engine_answerer.h"
#include "eval/run/report.h"
#include "net/url.h"
#include "weights/model_config.h"

namespace vl3::cli {
namespace {

namespace fs = std::filesystem;

// What the paper's runs ask of the model (spec: evaluation, 1).
constexpr double kPaperFps = 1;
constexpr int64_t kPaperFrames = 180, kPaperVisualTokens = 16384, kPaperTokens = 2048;
constexpr size_t kPlanned = 3;  // media that a dry run looks at closely

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

struct Eval {
  ModelFlags model;
  std::string tasks, data_root, output = "vl3_eval", preset = "model", scoring = "fixed", video_as = "frames";
  std::vector<std::string> roots;
  std::string judge, judge_model, endpoint_model, api_key_variable = "OPENAI_API_KEY",
                                                  judge_key_variable = "OPENAI_API_KEY";
  std::optional<int64_t> limit, max_frames, max_visual_tokens;
  std::optional<double> fps;
  int64_t max_tokens = kPaperTokens;
  int concurrency = 4;
  bool dry_run = false, json = false;
  std::vector<eval::Benchmark> known;

  void run() {
    VL3_CHECK(!tasks.empty(), kInvalidArgument, "name the benchmarks with --tasks LIST, or all; known: {}",
              names());
    VL3_CHECK(!data_root.empty() || !roots.empty(), kInvalidArgument,
              "name the folder of the data: --data-root DIR");
    const InterruptGuard guard(InterruptGuard::kSetsFlag);
    const std::vector<eval::Task> loaded = load_tasks();
    if (dry_run) return plan(loaded);
    const auto process = launched_process();
    eval::RunOptions options = run_options(process);
    const auto answerer = make_answerer(process, options);
    const eval::RunHooks hooks = make_hooks(options.rank == 0);
    const auto start = std::chrono::steady_clock::now();
    eval::answer_share(loaded, *answerer, options, hooks);
    progress_.clear();
    if (options.rank != 0) return;  // rank 0 says how it went
    const eval::Records records = eval::collect(loaded, options, hooks);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    finish(loaded, records, options, answerer->identity(), seconds, hooks);
  }

 private:
  ProgressLine progress_;

  std::string names() const {
    std::string list;
    for (const eval::Benchmark& benchmark : known) list += (list.empty() ? "" : ", ") + benchmark.name;
    return list;
  }

  std::vector<const eval::Benchmark*> chosen() const {
    std::vector<const eval::Benchmark*> benchmarks;
    if (tasks == "all") {
      for (const eval::Benchmark& benchmark : eval::paper_benchmarks()) benchmarks.push_back(&benchmark);
      return benchmarks;
    }
    std::istringstream stream(tasks);
    for (std::string name; std::getline(stream, name, ',');) {
      const eval::Benchmark* benchmark = &eval::find_benchmark(known, name);
      VL3_CHECK(std::find(benchmarks.begin(), benchmarks.end(), benchmark) == benchmarks.end(),
                kInvalidArgument, "--tasks names {} twice", benchmark->name);
      benchmarks.push_back(benchmark);
    }
    VL3_CHECK(!benchmarks.empty(), kInvalidArgument, "--tasks names no benchmark; known: {}", names());
    return benchmarks;
  }

  fs::path root_of(const eval::Benchmark& benchmark, bool single) const {
    for (const std::string& root : roots) {
      const size_t equals = root.find('=');
      VL3_CHECK(equals != std::string::npos, kInvalidArgument, "--root \"{}\": expected NAME=DIR", root);
      if (&eval::find_benchmark(known, root.substr(0, equals)) == &benchmark) return root.substr(equals + 1);
    }
    VL3_CHECK(!data_root.empty(), kInvalidArgument,
              "{}: name its folder with --root {}=DIR or --data-root DIR", benchmark.name, benchmark.name);
    return eval::root_of(benchmark, data_root, single);
  }

  eval::Defects defects() const {
    return scoring == "official" ? eval::Defects::kOfficial : eval::Defects::kFixed;
  }

  std::vector<eval::Task> load_tasks() const {
    std::vector<eval::Task> loaded;
    const auto benchmarks = chosen();
    for (const eval::Benchmark* benchmark : benchmarks)
      loaded.push_back(
          eval::load_task(*benchmark, root_of(*benchmark, benchmarks.size() == 1), defects(), limit));
    return loaded;
  }

  /// The model's own sampling, the paper's with --preset paper; flags win.
  void resolve_sampling(eval::RunOptions& options) {
    const bool paper = preset == "paper";
    eval::Sampling& sampling = options.sampling;
    if (!net::is_web_address(model.options.model)) {
      const weights::ModelConfig config = weights::load_model_config(model.folder());
      sampling.flow = config.preprocess.flow;
      if (!model.options.flow.empty())
        sampling.flow = model.options.flow == "remote" ? Flow::kRemote : Flow::kNative;
      sampling.fps = config.preprocess.fps;
      sampling.max_frames = config.preprocess.max_frames;
    }
    sampling.fps = fps.value_or(paper ? kPaperFps : sampling.fps);
    sampling.max_frames = max_frames.value_or(paper ? kPaperFrames : sampling.max_frames);
    if (paper && !max_visual_tokens) max_visual_tokens = kPaperVisualTokens;
  }

  eval::RunOptions run_options(const std::optional<LaunchEnvironment>& process) {
    eval::RunOptions options;
    options.output = output;
    if (process) {
      options.rank = process->rank;
      options.world_size = process->world_size;
    }
    resolve_sampling(options);
    options.settings = {
        {"fps", options.sampling.fps},
        {"max_frames", options.sampling.max_frames},
        {"max_visual_tokens", max_visual_tokens ? OrderedJson(*max_visual_tokens) : OrderedJson()},
        {"max_tokens", max_tokens},
        {"temperature", 0}};
    return options;
  }

  std::shared_ptr<const eval::ChatEndpoint> endpoint(const std::string& url, const std::string& name,
                                                     const std::string& key_variable) const {
    return std::make_shared<const eval::ChatEndpoint>(
        eval::EndpointOptions{.url = url, .model = name, .api_key = variable(key_variable), .cancelled = [] {
                                return InterruptGuard::interrupted();
                              }});
  }

  AskOptions ask_options(const eval::RunOptions& options) const {
    AskOptions ask;
    ask.generation.temperature = 0;
    ask.generation.max_tokens = max_tokens;
    ask.add_system_prompt = false;
    ask.fps = options.sampling.fps;
    ask.max_frames = options.sampling.max_frames;
    ask.max_visual_tokens = max_visual_tokens;
    return ask;
  }

  std::unique_ptr<eval::Answerer> make_answerer(const std::optional<LaunchEnvironment>& process,
                                                const eval::RunOptions& options) {
    if (net::is_web_address(model.options.model)) {
      const auto as = video_as == "url" ? eval::VideoAs::kUrl : eval::VideoAs::kFrames;
      return eval::endpoint_answerer(endpoint(model.options.model, endpoint_model, api_key_variable), as,
                                     concurrency, max_tokens);
    }
    if (process && model.options.device == "cuda")
      model.options.device = fmt::format("cuda:{}", process->local_rank);
    const std::string folder = fs::weakly_canonical(model.folder()).string();
    OrderedJson identity{{"model", folder},
                         {"flow", flow_name(options.sampling.flow)},
                         {"dtype", model.options.dtype},
                         {"device", model.options.device.substr(0, model.options.device.find(':'))}};
    return eval::engine_answerer(model.load(), identity, ask_options(options),
                                 [] { return InterruptGuard::interrupted(); });
  }

  eval::RunHooks make_hooks(bool speaks) {
    eval::RunHooks hooks;
    hooks.cancelled = [] { return InterruptGuard::interrupted(); };
    if (!speaks) return hooks;
    hooks.on_note = [this](const std::string& text) {
      progress_.clear();
      print_err("vl3: {}\n", text);
    };
    hooks.on_progress = [this](const eval::RunProgress& p) {
      std::string text = fmt::format("{} {}/{}, score {:.1f}", p.task, p.done, p.total, p.score);
      if (p.failed > 0) text += fmt::format(", {} failed", p.failed);
      if (p.left_s) text += ", " + duration(*p.left_s) + " left";
      progress_.show(text, p.done == p.total);
    };
    return hooks;
  }

  void finish(const std::vector<eval::Task>& loaded, const eval::Records& records,
              const eval::RunOptions& options, const OrderedJson& identity, double seconds,
              const eval::RunHooks& hooks) {
    std::unique_ptr<eval::Judge> asked;
    if (!judge.empty())
      asked = eval::endpoint_judge(endpoint(judge, judge_model, judge_key_variable),
                                   options.output / "judge.jsonl");
    const eval::Scoring rules{defects(), asked.get()};
    std::vector<eval::ScoredTask> scored;
    for (const eval::Task& task : loaded) scored.push_back(eval::score_task(task, records, rules, hooks));
    std::vector<eval::TaskReport> reports;
    for (const eval::ScoredTask& task : scored) reports.push_back(eval::make_report(task, rules));
    eval::RunFacts facts{.settings = options.settings, .date = "", .seconds = seconds};
    facts.settings["answerer"] = identity;
    facts.settings["preset"] = preset;
    facts.settings["scoring"] = scoring;
    facts.settings["judge"] = judge;
    facts.settings["limit"] = limit ? OrderedJson(*limit) : OrderedJson();
    facts.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    eval::write_results(reports, facts, options.output);
    if (json)
      print_out(
          "{}\n",
          eval::results_json(reports, facts).dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    else
      print_out("{}", eval::results_table(reports));
    print_err("vl3: results, samples and failures are in {}\n", output);
    int64_t failed = 0;
    for (const eval::ScoredTask& task : scored) failed += task.failed;
    VL3_CHECK(failed == 0, kCorrupt,
              "{} questions have no answer and count as wrong; they are listed in {}/results.md, and the "
              "same command "
              "asks them again",
              failed, output);
  }

  /// What is missing, and about how long it would take.
  void plan(const std::vector<eval::Task>& loaded) {
    eval::RunOptions options = run_options(std::nullopt);
    std::unique_ptr<eval::Answerer> answerer;
    if (!net::is_web_address(model.options.model)) answerer = make_answerer(std::nullopt, options);
    OrderedJson all = OrderedJson::object();
    size_t missing_files = 0;
    for (const eval::Task& task : loaded) {
      const std::vector<std::string> missing = eval::missing_media(task);
      missing_files += missing.size();
      OrderedJson row{{"root", task.root.string()},
                      {"items", task.data.items.size()},
                      {"media", task.data.groups.size()},
                      {"missing", missing}};
      const double seconds = answerer ? predict(task, *answerer, options) : 0;
      row["seconds"] = seconds > 0 ? OrderedJson(seconds) : OrderedJson();
      all[task.benchmark->name] = row;
      if (json) continue;
      print_out("{}: {} questions about {} media, {} files missing{}\n", task.benchmark->name,
                task.data.items.size(), task.data.groups.size(), missing.size(),
                seconds > 0 ? fmt::format(", about {} to the first tokens of the answers", duration(seconds))
                            : std::string());
      for (size_t i = 0; i < std::min<size_t>(missing.size(), 10); ++i) print_out("  {}\n", missing[i]);
      if (missing.size() > 10) print_out("  and {} more (--json lists them)\n", missing.size() - 10);
    }
    if (json) print_out("{}\n", all.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    VL3_CHECK(missing_files == 0, kNotFound, "{} files are missing", missing_files);
  }

  /// Seconds, from a few media spread over the task, times their number; 0 where nothing can be said.
  static double predict(const eval::Task& task, eval::Answerer& answerer, const eval::RunOptions& options) {
    double sum = 0;
    int64_t count = 0;
    const size_t groups = task.data.groups.size(), looks = std::min(groups, kPlanned);
    for (size_t i = 0; i < looks; ++i) {
      const eval::Item& item = task.data.items[task.data.groups[i * groups / looks].front()];
      try {
        eval::ConversationBuilder builder(options.sampling, false);
        if (const auto seconds = answerer.predicted_seconds(builder.build(item))) {
          sum += *seconds;
          ++count;
        }
      } catch (const Error&) {
        // its file is missing or broken, which is said elsewhere
      }
    }
    return count == 0 ? 0 : sum / static_cast<double>(count) * static_cast<double>(groups);
  }
};

struct Compare {
  std::string a, b;
  bool json = false;
  void run() const {
    const auto tasks = eval::compare_runs(a, b);
    if (json)
      print_out("{}\n", eval::to_json(tasks).dump(2));
    else
      print_out("{}", eval::comparison_table(tasks));
  }
};

void add_compare(CLI::App& command) {
  auto compare = std::make_shared<Compare>();
  CLI::App* sub =
      command.add_subcommand("compare", "Pair the questions of two runs' folders, and test the difference");
  sub->add_option("A", compare->a, "Folder of a run")->required();
  sub->add_option("B", compare->b, "Folder of another")->required();
  sub->add_flag("--json", compare->json, "As JSON");
  sub->callback([compare] { compare->run(); });
}

void add_data_flags(CLI::App& command, Eval& eval) {
  command
      .add_option("--tasks", eval.tasks,
                  "Benchmarks, as videomme,mvbench; all; synth: `vl3 synth --benchmark`")
      ->option_text("LIST");
  command.add_option("--data-root", eval.data_root, "Folder with a folder a benchmark (or of the only one)")
      ->option_text("DIR");
  command.add_option("--root", eval.roots, "Folder of one benchmark (repeatable)")
      ->option_text("NAME=DIR")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  command.add_option("--output", eval.output, "Folder of the journal and the results (vl3_eval)")
      ->option_text("DIR");
  command.add_option("--limit", eval.limit, "Only the first N questions of each benchmark")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->option_text("N");
  command.add_flag("--dry-run", eval.dry_run, "Only say which files are missing and how long it would take");
  command.add_option("--scoring", eval.scoring, "Defects of the official code: fixed, or official (fixed)")
      ->check(CLI::IsMember({"fixed", "official"}));
}

void add_sampling_flags(CLI::App& command, Eval& eval) {
  command.add_option("--preset", eval.preset, "Sampling: model (the checkpoint's), or paper (model)")
      ->check(CLI::IsMember({"model", "paper"}));
  command.add_option("--fps", eval.fps, "Sampled frames a second of video")
      ->check(number_between(0, 1000, false));
  command.add_option("--max-frames", eval.max_frames, kMaxFramesHelp)->check(CLI::Range(1, 65536));
  command.add_option("--max-visual-tokens", eval.max_visual_tokens, "Visual tokens of all media at most")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command.add_option("--max-tokens", eval.max_tokens, "Tokens of an answer at most (2048)")
      ->check(CLI::Range(1, 1 << 20));
}

void add_endpoint_flags(CLI::App& command, Eval& eval) {
  command
      .add_option("--endpoint-model", eval.endpoint_model,
                  "With --model URL: the model's name there (default: the first listed)")
      ->option_text("NAME");
  command
      .add_option("--api-key-env", eval.api_key_variable,
                  "With --model URL: variable with its key (OPENAI_API_KEY)")
      ->option_text("NAME");
  command.add_option("--concurrency", eval.concurrency, "With --model URL: requests in flight (4)")
      ->check(CLI::Range(1, 256));
  command
      .add_option("--video-as", eval.video_as,
                  "With --model URL: videos as frames, or as files by url (frames)")
      ->check(CLI::IsMember({"frames", "url"}));
  command.add_option("--judge", eval.judge, "OpenAI-compatible server that judges, as http://host:port/v1")
      ->option_text("URL");
  command.add_option("--judge-model", eval.judge_model, "The judge's name there (default: the first listed)")
      ->option_text("NAME");
  command
      .add_option("--judge-key-env", eval.judge_key_variable,
                  "Variable with the judge's key (OPENAI_API_KEY)")
      ->option_text("NAME");
}

}  // namespace

void add_eval(CLI::App& app) {
  auto eval = std::make_shared<Eval>();
  eval->known = eval::paper_benchmarks();
  eval->known.push_back(eval::synth_benchmark());
  CLI::App* command = app.add_subcommand("eval", "Score a model, or a server, on the paper's benchmarks");
  command->require_subcommand(0, 1);
  add_data_flags(*command, *eval);
  eval->model.add(*command);
  add_sampling_flags(*command, *eval);
  add_endpoint_flags(*command, *eval);
  command->add_flag("--json", eval->json, "As JSON");
  add_compare(*command);
  command->callback([eval, command] {
    if (command->get_subcommands().empty()) eval->run();
  });
}

}  // namespace vl3::cli
