#include "curate/score_row.h"

#include <cmath>

#include "vl3/error.h"

namespace vl3::curate {

Json to_json(const ScoreRow& row) {
  Json json = {{"position", row.position}, {"where", row.where}};
  const auto put = [&json](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  put("id", row.id);
  put("media", row.media);
  put("caption", row.caption);
  put("kind", row.kind);
  put("reason", row.reason);
  put("detail", row.detail);
  put("content", row.content);
  put("caption_key", row.caption_key);
  put("source", row.source);
  if (row.likeness) {
    json["hash"] = hash_text(row.likeness->hash);
    json["thumb"] = thumb_text(row.likeness->thumb);
  }
  if (row.has_features) json["has_features"] = true;
  if (row.clip_end_s > 0) json["clip"] = {row.clip_start_s, row.clip_end_s};
  Json& scores = json["scores"] = Json::object();
  for (const auto& [name, value] : row.scores) {
    if (std::isfinite(value)) scores[name] = value;  // JSON has no other numbers: such a score was not made
  }
  return json;
}

ScoreRow row_of(const Json& json, const std::string& where) {
  const JsonView view(json, where);
  ScoreRow row;
  row.position = view.integer("position", 0);
  row.where = view.string_or("where", "");
  row.id = view.string_or("id", "");
  row.media = view.string_or("media", "");
  row.caption = view.string_or("caption", "");
  row.kind = view.string_or("kind", "");
  row.reason = view.string_or("reason", "");
  row.detail = view.string_or("detail", "");
  row.content = view.string_or("content", "");
  row.caption_key = view.string_or("caption_key", "");
  row.source = view.string_or("source", "");
  row.has_features = view.boolean_or("has_features", false);
  if (view.has("hash"))
    row.likeness = Likeness{parse_hash(view.string("hash")), parse_thumb(view.string("thumb"))};
  try {
    if (view.has("clip")) row.clip_start_s = view.at("clip").at(0), row.clip_end_s = view.at("clip").at(1);
    if (view.has("scores")) row.scores = view.at("scores").get<std::map<std::string, double>>();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kCorrupt, where + ": " + error.what());
  }
  return row;
}

}  // namespace vl3::curate
