#include "curate/thresholds.h"

#include <algorithm>
#include <cmath>

#include "curate/text_measures.h"

namespace vl3::curate {
namespace {

class Scores {
 public:
  explicit Scores(const ScoreRow& row) : row_(row) {}
  bool has(const char* name) const { return row_.scores.count(name) > 0; }
  bool below(const char* name, double bound) const {
    const auto it = row_.scores.find(name);
    return it != row_.scores.end() && it->second < bound;
  }
  bool above(const char* name, double bound) const {
    const auto it = row_.scores.find(name);
    return it != row_.scores.end() && it->second > bound;
  }

 private:
  const ScoreRow& row_;
};

Reason judge_picture(const Scores& scores, const CurateConfig& config) {
  const QualityConfig& quality = config.quality;
  const auto side = static_cast<double>(config.validity.min_side);
  if (scores.below("height", side) || scores.below("width", side)) return Reason::kTooSmall;
  if (scores.above("aspect", config.aspect.max_ratio)) return Reason::kAspectRatio;
  if (scores.below("contrast", quality.min_contrast) || scores.below("entropy", quality.min_entropy))
    return Reason::kBlank;
  if (scores.above("dark_share", quality.max_dark_share)) return Reason::kDark;
  if (scores.above("bright_share", quality.max_bright_share)) return Reason::kBright;
  if (scores.above("blur", quality.max_blur)) return Reason::kBlurred;
  if (scores.below("sharpness", quality.min_sharpness)) return Reason::kNotSharp;
  return Reason::kKept;
}

Reason judge_video(const ScoreRow& row, const Scores& scores, const VideoConfig& video) {
  if (row.kind != "video") return Reason::kKept;
  // First: of a video too short for a clip so few frames were seen that it would pass for a static one.
  if (row.clip_end_s <= row.clip_start_s) return Reason::kNoClip;
  if (scores.above("static_share", video.max_static_share)) return Reason::kStatic;
  return scores.below("motion", video.min_motion) ? Reason::kLittleMotion : Reason::kKept;
}

Reason judge_text(const ScoreRow& row, const Scores& scores, const TextConfig& text) {
  if (row.caption.empty()) return text.require_caption ? Reason::kNoCaption : Reason::kKept;
  if (scores.above("caption_controls", 0)) return Reason::kCaptionControls;
  if (scores.above("caption_media_tag", 0)) return Reason::kCaptionMediaTag;
  if (scores.below("caption_chars", static_cast<double>(text.min_chars))) return Reason::kCaptionShort;
  if (scores.above("caption_chars", static_cast<double>(text.max_chars))) return Reason::kCaptionLong;
  if (scores.above("caption_repetition", text.max_repetition)) return Reason::kCaptionRepetition;
  if (scores.above("caption_symbols", text.max_symbol_share)) return Reason::kCaptionSymbols;
  return Reason::kKept;
}

}  // namespace

Verdict judge_row(const ScoreRow& row, const CurateConfig& config) {
  Verdict verdict;
  if (!row.reason.empty()) {
    verdict.reason = Reason::kUnusable;
    return verdict;
  }
  const Scores scores(row);
  verdict.reason = judge_picture(scores, config);
  if (verdict.reason == Reason::kKept) verdict.reason = judge_video(row, scores, config.video);
  if (verdict.reason == Reason::kKept) verdict.reason = judge_text(row, scores, config.text);
  for (size_t s = 0; verdict.reason == Reason::kKept && s < config.scorers.size(); ++s) {
    const ScorerConfig& scorer = config.scorers[s];
    const auto it = row.scores.find(scorer.name);
    const bool missing = it == row.scores.end();
    const bool bad =
        missing ? scorer.required
                : (scorer.min && it->second < *scorer.min) || (scorer.max && it->second > *scorer.max);
    if (!bad) continue;
    verdict.reason = Reason::kScorer;
    verdict.scorer = static_cast<uint8_t>(std::min<size_t>(s, 255));
  }
  if (verdict.reason == Reason::kKept && config.similarity.min_gain &&
      scores.below("caption_gain", *config.similarity.min_gain))
    verdict.reason = Reason::kTextImageSimilarity;
  return verdict;
}

Reason judge_caption(std::string_view caption, const TextConfig& config) {
  const TextMeasures text = measure_text(caption);
  ScoreRow row;
  row.caption = caption;
  row.scores = {{"caption_chars", static_cast<double>(text.chars)},
                {"caption_repetition", text.repetition},
                {"caption_symbols", text.symbol_share},
                {"caption_controls", static_cast<double>(text.controls)},
                {"caption_media_tag", text.has_media_tag ? 1.0 : 0.0}};
  return row.caption.empty() ? Reason::kKept : judge_text(row, Scores(row), config);
}

void take_columns(const CurateConfig& config, ScoreRow* row) {
  const bool any = std::any_of(config.scorers.begin(), config.scorers.end(),
                               [](const ScorerConfig& scorer) { return scorer.kind == "column"; });
  if (!any) return;
  const Json source = row->source.empty() ? Json() : Json::parse(row->source, nullptr, false);
  for (const ScorerConfig& scorer : config.scorers) {
    if (scorer.kind != "column") continue;
    row->scores.erase(scorer.name);
    const std::string& key = scorer.column.empty() ? scorer.name : scorer.column;
    const auto found = source.is_object() ? source.find(key) : source.end();
    if (!source.is_object() || found == source.end() || !found->is_number()) continue;
    if (std::isfinite(found->get<double>())) row->scores[scorer.name] = found->get<double>();
  }
}

}  // namespace vl3::curate
