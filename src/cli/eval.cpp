// vl3 eval: the paper's benchmarks, scored as the paper scores them; two runs compared.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <sstream>

#include "cli/batch_answerer.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/check.h"
#include "core/launch_environment.h"
#include "core/seconds.h"
#include "eval/benchmarks/synth.h"
#include "eval/run/compare.h"
#include "eval/run/conversation.h"
#include "eval/run/endpoint.h"
#include "eval/run/engine_answerer.h"
#include "eval/run/report.h"
#include "net/url.h"
#include "weights/model_config.h"
#include "weights/weight_files.h"

namespace vl3::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPaperTokens = 2048;  // of an answer
constexpr size_t kPlanned = 3;          // media that a dry run looks at closely

std::string variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string about(double seconds) {
  return seconds < 60 ? fmt::format("{:.2g} s", seconds) : duration(seconds);
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
  int concurrency = 4, batch_size = 1;
  bool dry_run = false, json = false;
  std::vector<eval::Benchmark> known;

  void run() {
    VL3_CHECK(!tasks.empty(), kInvalidArgument, "name the benchmarks with --tasks LIST, or all; known: {}",
              names());
    VL3_CHECK(!data_root.empty() || !roots.empty(), kInvalidArgument,
              "name the folder of the data: --data-root DIR");
    const InterruptGuard guard(InterruptGuard::kSetsFlag);
    check_flags();
    if (dry_run) return plan();
    const std::vector<eval::Task> loaded = load_tasks();
    const auto process = launched_process();
    eval::RunOptions options = run_options(process);
    const eval::RunHooks hooks = make_hooks(options.rank == 0);
    const auto asked =
        options.rank == 0 ? make_judge(options) : nullptr;  // a wrong one is known before hours
    const auto answerer = make_answerer(process, options);
    const auto start = std::chrono::steady_clock::now();
    eval::answer_share(loaded, *answerer, options, hooks);
    progress_.clear();
    if (options.rank != 0) return;  // rank 0 says how it went
    const eval::Records records = eval::collect(loaded, options, hooks);
    const double seconds = seconds_since(start);
    finish(loaded, records, options, answerer->identity(), seconds, asked.get(), hooks);
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
    std::string own;
    for (const std::string& root : roots) {
      const size_t equals = root.find('=');
      VL3_CHECK(equals != std::string::npos, kInvalidArgument, "--root \"{}\": expected NAME=DIR", root);
      if (&eval::find_benchmark(known, root.substr(0, equals)) != &benchmark) continue;
      VL3_CHECK(own.empty(), kInvalidArgument, "--root names {} twice", benchmark.name);
      own = root.substr(equals + 1);
    }
    if (!own.empty()) return own;
    VL3_CHECK(!data_root.empty(), kInvalidArgument,
              "{}: name its folder with --root {}=DIR or --data-root DIR", benchmark.name, benchmark.name);
    return eval::root_of(benchmark, data_root, single);
  }

  eval::Defects defects() const {
    return scoring == "official" ? eval::Defects::kOfficial : eval::Defects::kFixed;
  }

  bool asks_server() const { return net::is_web_address(model.options.model); }

  void check_flags() const {
    if (!asks_server()) {
      VL3_CHECK(endpoint_model.empty(), kInvalidArgument, "--endpoint-model is for --model URL");
      return;
    }
    const std::pair<const char*, bool> idle[] = {
        {"--dtype", model.options.dtype != EngineOptions().dtype},
        {"--kv-cache-dtype", model.options.kv_cache_dtype != EngineOptions().kv_cache_dtype},
        {"--device", model.options.device != EngineOptions().device},
        {"--flow", !model.options.flow.empty()},
        {"--max-visual-tokens", max_visual_tokens.has_value()},
        {"--batch-size", batch_size > 1}};
    for (const auto& [flag, given] : idle)
      VL3_CHECK(!given, kInvalidArgument, "{} is the server's own matter with --model URL", flag);
    VL3_CHECK(video_as == "frames" || (!fps && !max_frames), kInvalidArgument,
              "--fps and --max-frames: with --video-as url the server chooses the frames");
  }

  eval::Task load(const eval::Benchmark& benchmark, bool single) const {
    VL3_CHECK(!InterruptGuard::interrupted(), kCancelled, "stopped");
    return eval::load_task(benchmark, root_of(benchmark, single), defects(), limit);
  }

  std::vector<eval::Task> load_tasks() const {
    std::vector<eval::Task> loaded;
    const auto benchmarks = chosen();
    for (const eval::Benchmark* benchmark : benchmarks)
      loaded.push_back(load(*benchmark, benchmarks.size() == 1));
    return loaded;
  }

  /// The model's own sampling, the paper's with --preset paper; flags win.
  void resolve_sampling(eval::RunOptions& options) {
    const bool paper = preset == "paper";
    eval::Sampling& sampling = options.sampling;
    if (!asks_server()) {
      const weights::ModelConfig config = weights::load_model_config(model.folder());
      sampling.flow = config.preprocess.flow;
      if (!model.options.flow.empty())
        sampling.flow = model.options.flow == "remote" ? Flow::kRemote : Flow::kNative;
      sampling.fps = config.preprocess.fps;
      sampling.max_frames = config.preprocess.max_frames;
    }
    sampling.fps = fps.value_or(paper ? eval::kPaperFps : sampling.fps);
    sampling.max_frames = max_frames.value_or(paper ? eval::kPaperFrames : sampling.max_frames);
    if (paper && !max_visual_tokens && !asks_server()) max_visual_tokens = eval::kPaperVisualTokens;
  }

  eval::RunOptions run_options(const std::optional<LaunchEnvironment>& process) {
    eval::RunOptions options;
    options.output = output;
    if (process) {
      options.rank = process->rank;
      options.world_size = process->world_size;
    }
    resolve_sampling(options);
    const bool servers = asks_server() && video_as == "url";  // then the server chooses the frames
    options.settings = {
        {"fps", servers ? OrderedJson() : OrderedJson(options.sampling.fps)},
        {"max_frames", servers ? OrderedJson() : OrderedJson(options.sampling.max_frames)},
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

  std::unique_ptr<eval::Judge> make_judge(const eval::RunOptions& options) {
    if (judge.empty()) return nullptr;
    const auto server = endpoint(judge, judge_model, judge_key_variable);
    judge_model = server->model();
    std::error_code error;
    fs::create_directories(options.output, error);
    return eval::endpoint_judge(server, options.output / "judge.jsonl", concurrency);
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
    if (asks_server()) {
      const auto as = video_as == "url" ? eval::VideoAs::kUrl : eval::VideoAs::kFrames;
      return eval::endpoint_answerer(endpoint(model.options.model, endpoint_model, api_key_variable), as,
                                     concurrency, max_tokens);
    }
    if (process && model.options.device == "cuda")
      model.options.device = fmt::format("cuda:{}", process->local_rank);
    const std::string folder = fs::weakly_canonical(model.folder()).string();
    OrderedJson identity{{"model", folder},
                         {"flow", flow_name(options.sampling.flow)},
                         {"weights", weights::weights_fingerprint(folder)},
                         {"dtype", model.options.dtype},
                         {"device", model.options.device.substr(0, model.options.device.find(':'))}};
    if (model.options.kv_cache_dtype != "auto") identity["kv_cache_dtype"] = model.options.kv_cache_dtype;
    const auto cancelled = [] { return InterruptGuard::interrupted(); };
    if (batch_size > 1)
      return batch_answerer(model.load_runtime(), identity, ask_options(options), batch_size, cancelled);
    return eval::engine_answerer(model.load(), identity, ask_options(options), cancelled);
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
              eval::Judge* asked, const eval::RunHooks& hooks) {
    const eval::Scoring rules{defects(), asked};
    std::vector<eval::ScoredTask> scored;
    for (const eval::Task& task : loaded) scored.push_back(eval::score_task(task, records, rules, hooks));
    progress_.clear();
    std::vector<eval::TaskReport> reports;
    for (const eval::ScoredTask& task : scored) reports.push_back(eval::make_report(task, rules));
    eval::RunFacts facts{.settings = options.settings, .date = "", .seconds = seconds};
    facts.settings["answerer"] = identity;
    facts.settings["preset"] = preset;
    facts.settings["batch_size"] = batch_size;
    facts.settings["scoring"] = scoring;
    facts.settings["judge"] = judge;
    facts.settings["judge_model"] = judge_model;
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
    int64_t failed = 0, not_judged = 0;
    for (const eval::ScoredTask& task : scored) {
      failed += task.failed;
      not_judged += task.not_judged;
    }
    const std::string again = fmt::format("listed in {}/results.md, and the same command asks again", output);
    VL3_CHECK(failed == 0, kCorrupt, "{} questions have no answer and count as wrong; they are {}", failed,
              again);
    VL3_CHECK(not_judged == 0, kCorrupt, "the judge has no usable word on {} answers; they are {}",
              not_judged, again);
  }

  /// What is missing, and about how long it would take.
  void plan() {
    eval::RunOptions options = run_options(std::nullopt);
    std::unique_ptr<eval::Answerer> answerer;
    batch_size = 1;  // nothing is answered
    if (!asks_server()) answerer = make_answerer(std::nullopt, options);
    OrderedJson all = OrderedJson::object();
    size_t missing_files = 0, unreadable = 0;
    const auto benchmarks = chosen();
    for (const eval::Benchmark* benchmark : benchmarks) {
      std::optional<eval::Task> loaded;
      try {
        loaded = load(*benchmark, benchmarks.size() == 1);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kInvalidArgument) throw;
        ++unreadable;
        all[benchmark->name] = {{"error", error.what()}};
        if (!json) print_out("{}: cannot be read: {}\n", benchmark->name, error.what());
        continue;
      }
      const eval::Task& task = *loaded;
      const std::vector<std::string> missing = eval::missing_media(task);
      missing_files += missing.size();
      OrderedJson row{{"root", task.root.string()},
                      {"items", task.data.items.size()},
                      {"media", task.data.groups.size()},
                      {"missing", missing}};
      const auto predicted = answerer ? predict(task, *answerer, options) : std::nullopt;
      row["seconds"] = predicted ? OrderedJson(predicted->first_token) : OrderedJson();
      row["seconds_per_token"] = predicted ? OrderedJson(predicted->token) : OrderedJson();
      all[task.benchmark->name] = row;
      if (json) continue;
      print_out("{}: {} questions about {} media, {} files missing{}\n", task.benchmark->name,
                task.data.items.size(), task.data.groups.size(), missing.size(),
                predicted
                    ? fmt::format("; about {} to the first tokens of all answers, then {} a token of each",
                                  about(predicted->first_token), about(predicted->token))
                    : std::string());
      for (size_t i = 0; i < std::min<size_t>(missing.size(), 10); ++i) print_out("  {}\n", missing[i]);
      if (missing.size() > 10) print_out("  and {} more (--json lists them)\n", missing.size() - 10);
    }
    if (json) print_out("{}\n", all.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
    VL3_CHECK(unreadable == 0, kNotFound, "{} benchmarks cannot be read, {} files of the others are missing",
              unreadable, missing_files);
    VL3_CHECK(missing_files == 0, kNotFound, "{} files are missing", missing_files);
  }

  /// Of the whole task, from a few media spread over it; nothing where nothing can be said.
  static std::optional<eval::Prediction> predict(const eval::Task& task, eval::Answerer& answerer,
                                                 const eval::RunOptions& options) {
    double first = 0, later = 0, token = 0, count = 0;
    const size_t groups = task.data.groups.size(), looks = std::min(groups, kPlanned);
    for (size_t i = 0; i < looks; ++i) {
      const eval::Item& item = task.data.items[task.data.groups[i * groups / looks].front()];
      try {
        eval::ConversationBuilder builder(options.sampling, false);
        Conversation conversation = builder.build(item);
        const auto whole = answerer.predict(conversation);
        // Another question about the same medium finds all but its text done.
        std::erase_if(conversation.back().parts,
                      [](const ContentPart& part) { return part.kind != PartKind::kText; });
        const auto text = answerer.predict(conversation);
        if (!whole || !text) return std::nullopt;
        first += whole->first_token;
        later += text->first_token;
        token += whole->token;
        ++count;
      } catch (const Error&) {
        // its file is missing or broken, which is said elsewhere
      }
    }
    if (count == 0) return std::nullopt;
    const auto questions = static_cast<double>(task.data.items.size()), media = static_cast<double>(groups);
    return eval::Prediction{(first * media + later * (questions - media)) / count, token * questions / count};
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
  command
      .add_option("--batch-size", eval.batch_size, "Media whose questions are answered at once (1; CPU only)")
      ->check(CLI::Range(1, 256));
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
  command
      .add_option("--concurrency", eval.concurrency,
                  "With --model URL, or of the judge: requests in flight (4)")
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
