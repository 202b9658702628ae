// One item looked at: gate, decode, measure. Everything that needs no other item and no model. Safe from
// several threads.
#pragma once

#include "curate/curate_config.h"
#include "curate/item.h"
#include "curate/score_row.h"
#include "media/frame.h"

namespace vl3::curate {

struct Judged {
  ScoreRow row;
  media::Frame picture;  ///< empty where the row has a reason; of a video the middle frame of its clip
};

/// Never throws for what is wrong with an item: `row.reason` is then one of the gate's refusals
/// (media_path.h), of the input's ("wrong_json", "wrong_schema", "no_media", "several_media",
/// "line_too_long", "broken_tar_sample"), or "corrupt", "truncated"…: see kinds in docs/guides/curate.md.
/// Scores: width, height, aspect, bytes, contrast, entropy, sharpness, blur, exposure, dark_share,
/// bright_share; with a caption caption_chars, caption_words, caption_repetition, caption_symbols,
/// caption_controls; of videos duration_s, cuts, static_share, motion, clip_motion; the columns of `scorers`
/// under their names. However many threads call, only one of them holds a medium of more than 64 MiB, stored
/// or decoded, besides what it returns.
Judged judge_item(const Item& item, const CurateConfig& config);

}  // namespace vl3::curate
