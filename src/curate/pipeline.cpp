#include "curate/pipeline.h"

#include <chrono>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "curate/caption_step.h"
#include "curate/claim.h"
#include "curate/export_step.h"
#include "curate/file_lock.h"
#include "curate/recipe.h"
#include "curate/report.h"
#include "curate/result_stage.h"
#include "curate/select.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

// Held by whoever makes the folder's own files; where it lies, such a run has been.
fs::path results_lock(const OutputLayout& layout) { return layout.work() / "lock"; }

FileLock lock_results(const OutputLayout& layout) {
  std::optional<FileLock> lock = FileLock::try_lock(results_lock(layout), FileLock::Mode::kExclusive);
  VL3_CHECK(lock, kInvalidArgument, "{}: another process is making this folder's results",
            layout.output.string());
  return std::move(*lock);
}

// A wrong input leaves nothing behind.
std::unique_ptr<ItemSource> open_input(const CurateConfig& config, const OutputLayout& layout) {
  try {
    return open_source(config.input, layout.work());
  } catch (...) {
    std::error_code not_empty;
    if (fs::remove(layout.work(), not_empty)) fs::remove(layout.output, not_empty);
    throw;
  }
}

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

OrderedJson seconds_of(const CurateReport& report) {
  return {{"scoring", fmt::format("{:.1f}", report.score_s)},
          {"selecting", fmt::format("{:.1f}", report.select_s)},
          {"captions", fmt::format("{:.1f}", report.caption_s)},
          {"writing", fmt::format("{:.1f}", report.write_s)}};
}

// Models first: a recipe whose models do not load has scored nothing, and can be corrected.
int64_t score(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
              const ShardShare& share, const CurateHooks& hooks, const StepHooks& step) {
  bool missing = false;
  for (int64_t shard = share.index; shard < source.shards(); shard += share.count)
    missing = missing || !fs::exists(layout.scores(shard));
  if (!missing) return 0;
  Models models;
  if (hooks.models) models = hooks.models(config);
  const FileLock claim = claim_scores(source, config, layout, step);
  return score_shards(source, config, layout, share, models, hooks.progress, hooks.cancelled).scored;
}

CaptionCounts caption(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                      const Selection& selection, const ShardShare& share, const CurateHooks& hooks,
                      const StepHooks& step) {
  VL3_CHECK(hooks.captioner != nullptr, kInvalidArgument, "new captions are wanted, but nobody makes them");
  const std::unique_ptr<Captioner> captioner = hooks.captioner(config);
  const CaptionCounts counts = caption_shards(source, config, layout, selection, share, *captioner, step);
  step.say(fmt::format("{} captions made, {} unfit", counts.made, counts.unfit));
  if (counts.failed > 0) {
    step.say(fmt::format("{} captions failed, the first with: {}; the same command asks for them again",
                         counts.failed, counts.first_error));
  }
  return counts;
}

ReportData write(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                 const Selection& selection, const StepHooks& step, Stopwatch* watch, CurateReport* report) {
  ResultStage stage(layout.output);
  const ReportData data = export_items(source, config, layout, selection, stage.folder(), step);
  report->write_s = watch->lap();
  write_file_atomically(stage.folder() / "recipe.toml", recipe_toml(config));
  write_file_atomically(stage.folder() / "report.html",
                        report_html(data, source, config, selection, seconds_of(*report)));
  stage.publish();
  for (const auto& [refusal, count] : data.not_exported)
    step.say(fmt::format("{} kept items are not exported: {}", count, refusal));
  return data;
}

// Names in train.jsonl have one root: media out of tars lie in the output folder, others where they are.
void check_export(const ItemSource& source, const CurateConfig& config) {
  const bool mixed = source.carries_media() && !source.media_root().empty();
  VL3_CHECK(
      !mixed || config.exports.format == "webdataset", kInvalidArgument,
      "tars and other files as one input have no data root in common: export.format = \"webdataset\", or "
      "one run for each");
}

// A recipe's data_folder for train.jsonl, where it is not what the user named.
void note_media_root(const ItemSource& source, const CurateConfig& config, const StepHooks& step) {
  if (config.input.path.size() < 2 || !config.input.data_root.empty() || source.media_root().empty() ||
      config.exports.format == "webdataset")
    return;
  step.say(fmt::format("media in train.jsonl are relative to {}", source.media_root().string()));
}

void note_missing(const Selection& selection, const InputConfig& input, const StepHooks& step) {
  if (2 * selection.missing <= selection.items) return;
  step.say(
      fmt::format("{} of {} items are missing: their names are looked for below {} (input.data_root, "
                  "--data-root)",
                  selection.missing, selection.items,
                  input.data_root.empty() ? "the input file's folder" : input.data_root));
}

}  // namespace

CurateReport curate(const CurateConfig& config, const Steps& steps, const ShardShare& share,
                    const CurateHooks& hooks) {
  VL3_CHECK(share.count >= 1 && share.index >= 0 && share.index < share.count, kInvalidArgument,
            "--shard {}/{}: expected I/N with I from 0 to N - 1", share.index, share.count);
  const OutputLayout layout{config.output};
  check_place(layout.output, fs::exists(results_lock(layout)));
  std::error_code error;
  fs::create_directories(layout.work(), error);
  VL3_CHECK(!error, kInvalidArgument, "{}: cannot be made: {}", layout.work().string(), error.message());
  const StepHooks step{hooks.note, hooks.step_progress, hooks.cancelled};
  Stopwatch watch;
  CurateReport report;
  const std::unique_ptr<ItemSource> source = open_input(config, layout);
  check_claim(*source, config, layout);
  check_export(*source, config);
  report.items = source->items();
  step.say(fmt::format("{} items in {} shards{}", source->items(), source->shards(),
                       source->items() == 0 ? ": the input is empty" : ""));
  std::optional<FileLock> results;
  if (steps.write) results.emplace(lock_results(layout));
  if (steps.score) {
    report.scored = score(*source, config, layout, share, hooks, step);
    report.score_s = watch.lap();
    step.say(fmt::format("{} items scored in {:.1f} s", report.scored, report.score_s));
  }
  if (!steps.select) return report;

  const Selection selection = select_items(sizes_of(*source), config, layout, step);
  report.select_s = watch.lap();
  note_missing(selection, config.input, step);
  if (steps.caption && (config.caption.short_caption || config.caption.detailed_caption)) {
    report.captions = caption(*source, config, layout, selection, share, hooks, step);
    report.caption_s = watch.lap();
  }
  if (!steps.write) return report;

  const ReportData data = write(*source, config, layout, selection, step, &watch, &report);
  report.kept = data.kept;
  report.reasons = data.reasons;
  report.wrote = true;
  note_media_root(*source, config, step);
  return report;
}

OrderedJson to_json(const CurateReport& report) {
  return {{"items", report.items},
          {"scored", report.scored},
          {"kept", report.kept},
          {"dropped", report.wrote ? report.items - report.kept : 0},
          {"reasons", report.reasons},
          {"captioned", report.captions.made},
          {"captions_unfit", report.captions.unfit},
          {"captions_failed", report.captions.failed},
          {"score_s", report.score_s},
          {"select_s", report.select_s},
          {"caption_s", report.caption_s},
          {"write_s", report.write_s}};
}

}  // namespace vl3::curate
