// How an item becomes a training sample: captions in the paper's forms, and the official annotation around
// them. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "curate/caption_step.h"
#include "curate/curate_config.h"
#include "curate/score_row.h"

namespace vl3::curate {

/// "{caption}. The texts in this image are {text}<box>[{box}]</box>, …" for the annotation's "texts", a list
/// of {"text", "box": [x0, y0, x1, y1]}; the caption alone without them. Left out: texts with control
/// characters, media tags or <box>, and boxes that are not four finite numbers with 0 <= x0 <= x1 and
/// 0 <= y0 <= y1. Source: paper, stage 2, Laion-OCR.
std::string ocr_caption(const std::string& caption, const Json& source);

/// "{caption}" with each of the annotation's "objects", {"phrase", "box"}, written behind its phrase:
/// "{phrase}<box>[{box}]</box>". A phrase is looked for as whole words, longer ones first, equal ones from
/// left to right, and never inside of another's or of a box. Phrases that do not occur and wrong boxes are
/// left out.
std::string grounding_caption(const std::string& caption, const Json& source);

/// The caption that export.caption names; "" where the item has none.
std::string export_caption(const ScoreRow& row, const NewCaption& caption, const ExportConfig& config);

/// One training record with id, medium and a question and answer: the official annotation (spec/data.md 1.1),
/// or, of a clip that is a part of its video, which that form cannot say, {"messages": …} with "start" and
/// "end", which our own loader reads as well.
/// @param media  the name as trainers shall find it.
OrderedJson training_record(const ScoreRow& row, const std::string& media, const std::string& caption,
                            const CurateConfig& config);

}  // namespace vl3::curate
