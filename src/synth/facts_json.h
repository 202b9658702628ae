// Facts and questions as JSON, and facts back: the lines of facts.jsonl and benchmark.jsonl.
#pragma once

#include "core/json.h"
#include "synth/sample.h"

namespace vl3::synth {

const char* name_of(MediaType type);   ///< "text", "image", "images", "video", "stream"
const char* name_of(AnswerForm form);  ///< "exact", "caption", "span"
/// @throws Error(kCorrupt)
MediaType media_type_of(const std::string& name);
AnswerForm answer_form_of(const std::string& name);

/// {"images": [{"width", "height", "background", "items": [{"type", "label", "colour", "value", "object",
/// "box": [x0, y0, x1, y1]}]}], "objects": […], "events": […], "duration_s", "fields": {…}}; empty parts are
/// left out.
OrderedJson to_json(const Facts& facts);
Facts facts_from_json(const Json& json, const std::string& where);

/// {"kind", "level", "question", "answer", "form", "accepted", "options", "query", "noisy", "time_s"}
OrderedJson to_json(const Question& question);

}  // namespace vl3::synth
