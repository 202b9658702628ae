// The third step: new captions, short and detailed, of the items that are kept. A shard's file holds what is
// made so far and is written now and then, so that little is lost to a run that is stopped or killed. One
// thread; any number of processes, each with its own shards.
#pragma once

#include <map>
#include <string>

#include "curate/captioner.h"
#include "curate/select.h"
#include "curate/step_hooks.h"

namespace vl3::curate {

struct NewCaption {
  std::string short_caption, detailed_caption;
  std::string error;  ///< why one is missing: "cut off", "caption_repetition", what the engine says
  std::string short_by, detailed_by;  ///< a digest of model and question; "": not answered yet
  bool video = false;                 ///< videos are asked other questions
};

struct CaptionCounts {
  int64_t made = 0;
  int64_t unfit = 0;        ///< cut off, empty, or refused by the text filters; not asked for again
  int64_t failed = 0;       ///< not answered at all; the next run asks again
  std::string first_error;  ///< of those
};

/// Captions every kept item of the share's shards that has none yet. Shows "captions" as progress and asks
/// between batches whether to stop.
/// @return what this call did. @throws Error(kCancelled); what is made by then is kept.
CaptionCounts caption_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                             const Selection& selection, const ShardShare& share, Captioner& captioner,
                             const StepHooks& hooks);

/// By position: those made with this recipe's model, prompts and max_tokens. Empty without the file.
std::map<int64_t, NewCaption> read_captions(const OutputLayout& layout, int64_t shard,
                                            const CurateConfig& config);

}  // namespace vl3::curate
