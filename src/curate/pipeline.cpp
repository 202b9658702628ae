#include "curate/pipeline.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>

#include "core/check.h"
#include "core/file.h"
#include "curate/caption_step.h"
#include "curate/export_step.h"
#include "curate/recipe.h"
#include "curate/report.h"
#include "curate/select.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

// Held while the folder's own files are made; ends with the process.
class OutputLock {
 public:
  explicit OutputLock(const OutputLayout& layout) {
    const fs::path path = layout.work() / "lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    VL3_CHECK(fd_ >= 0, kInvalidArgument, "{}: cannot be written", path.string());
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      VL3_FAIL(kInvalidArgument, "{}: another process is making this folder's results",
               layout.output.string());
    }
  }
  ~OutputLock() { ::close(fd_); }
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  int fd_ = -1;
};

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

}  // namespace

CurateReport curate(const CurateConfig& config, const Steps& steps, const ShardShare& share,
                    const CurateHooks& hooks) {
  VL3_CHECK(share.count >= 1 && share.index >= 0 && share.index < share.count, kInvalidArgument,
            "--shard {}/{}: expected I/N with I from 0 to N - 1", share.index, share.count);
  const OutputLayout layout{config.output};
  std::error_code error;
  fs::create_directories(layout.work(), error);
  VL3_CHECK(!error, kInvalidArgument, "{}: cannot be made: {}", layout.work().string(), error.message());
  const auto note = [&hooks](const std::string& line) {
    if (hooks.note) hooks.note(line);
  };
  Stopwatch watch;
  CurateReport report;
  const std::unique_ptr<ItemSource> source = open_source(config.input, layout.work());
  claim_output(*source, config, layout);
  report.items = source->items();
  note(fmt::format("{} items in {} shards", source->items(), source->shards()));
  if (steps.score) {
    bool missing = false;
    for (int64_t shard = share.index; shard < source->shards(); shard += share.count)
      missing = missing || !fs::exists(layout.scores(shard));
    Models models;
    if (missing && hooks.models) models = hooks.models(config);
    report.scored =
        score_shards(*source, config, layout, share, models, hooks.progress, hooks.cancelled).scored;
    report.score_s = watch.lap();
    note(fmt::format("{} items scored in {:.1f} s", report.scored, report.score_s));
  }
  if (!steps.select) return report;

  const OutputLock lock(layout);
  const Selection selection = select_items(sizes_of(*source), config, layout, note);
  report.select_s = watch.lap();
  const bool wants_captions = config.caption.short_caption || config.caption.detailed_caption;
  if (steps.caption && wants_captions) {
    VL3_CHECK(hooks.captioner != nullptr, kInvalidArgument, "new captions are wanted, but nobody makes them");
    const std::unique_ptr<Captioner> captioner = hooks.captioner(config);
    report.captions = caption_shards(*source, config, layout, selection, share, *captioner, hooks.cancelled);
    report.caption_s = watch.lap();
    const CaptionCounts& captions = report.captions;
    note(fmt::format("{} captions made in {:.1f} s, {} unfit", captions.made, report.caption_s,
                     captions.unfit));
    if (captions.failed > 0) {
      note(fmt::format("{} captions failed, the first with: {}; the same command asks for them again",
                       captions.failed, captions.first_error));
    }
  }
  if (!steps.write) return report;

  const ReportData data = export_items(*source, config, layout, selection);
  report.write_s = watch.lap();
  report.kept = data.kept;
  report.reasons = data.reasons;
  write_file_atomically(layout.output / "recipe.toml", recipe_toml(config));
  write_file_atomically(layout.output / "report.html",
                        report_html(data, *source, config, selection, seconds_of(report)));
  report.wrote = true;
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
