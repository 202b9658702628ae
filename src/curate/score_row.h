// What scoring leaves of an item: one line of JSON in its shard's file, everything that selecting needs, so
// that thresholds change without looking at media again. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/json.h"
#include "curate/perceptual_hash.h"

namespace vl3::curate {

struct ScoreRow {
  int64_t position = 0;
  std::string where, id, media, caption;
  std::string kind;            ///< "image", "video"; "" where it could not be told
  std::string reason, detail;  ///< why it is unusable whatever the thresholds; "" otherwise
  std::string content;         ///< SHA-256 of the medium's bytes, the first 32 hex digits; "" where unread
  std::string caption_key;     ///< 16 hex digits of caption_template()'s hash; "" without a caption
  std::optional<Likeness> likeness;
  bool has_features = false;                ///< row `position - begin` of the shard's feature file is filled
  double clip_start_s = 0, clip_end_s = 0;  ///< of videos
  std::map<std::string, double> scores;
  std::string source;  ///< the annotation as JSON; "" without one
};

Json to_json(const ScoreRow& row);
/// @throws Error(kCorrupt).
ScoreRow row_of(const Json& json, const std::string& where);

}  // namespace vl3::curate
