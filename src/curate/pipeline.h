// A whole curation, or some of its steps. One process at a time writes what lies beside work/; any number of
// them may score and caption their shares at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "curate/caption_step.h"
#include "curate/captioner.h"
#include "curate/curate_config.h"
#include "curate/scorer.h"
#include "curate/shard_scorer.h"

namespace vl3::curate {

struct Steps {
  bool score = true, select = true, caption = true, write = true;
};

struct CurateHooks {
  /// Loads models; called only where shards are to be scored, before the output folder is claimed for it.
  std::function<Models(const CurateConfig&)> models;
  /// Called only where captions are to be made; may be empty where the recipe wants none.
  std::function<std::unique_ptr<Captioner>(const CurateConfig&)> captioner;
  std::function<void(const std::string& line)> note;
  std::function<void(const ScoreProgress&)> progress;
  /// Of the steps after scoring: "rows", "near duplicates", "captions", "write".
  std::function<void(const char* step, int64_t done, int64_t total)> step_progress;
  std::function<bool()> cancelled;
};

struct CurateReport {
  int64_t items = 0, scored = 0, kept = 0;
  CaptionCounts captions;
  std::map<std::string, int64_t> reasons;  ///< of dropped items
  double score_s = 0, select_s = 0, caption_s = 0, write_s = 0;
  bool wrote = false;
};

/// @throws Error for input and output that cannot be used, kCancelled; never for a single item.
CurateReport curate(const CurateConfig& config, const Steps& steps, const ShardShare& share,
                    const CurateHooks& hooks);

OrderedJson to_json(const CurateReport& report);

}  // namespace vl3::curate
