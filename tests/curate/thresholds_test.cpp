#include "curate/thresholds.h"

#include <gtest/gtest.h>

namespace vl3::curate {
namespace {

ScoreRow good_row() {
  ScoreRow row;
  row.kind = "image";
  row.caption = "A red circle";
  row.scores = {
      {"height", 200},        {"width", 300},        {"aspect", 1.5},           {"contrast", 40},
      {"entropy", 3},         {"blur", 0.3},         {"sharpness", 500},        {"dark_share", 0.1},
      {"bright_share", 0.1},  {"caption_chars", 12}, {"caption_repetition", 0}, {"caption_symbols", 0},
      {"caption_controls", 0}};
  return row;
}

Reason with(const std::string& score, double value, const CurateConfig& config = {}) {
  ScoreRow row = good_row();
  row.scores[score] = value;
  return judge_row(row, config).reason;
}

TEST(Thresholds, EachScoreHasItsReasonAndTheBoundItselfPasses) {
  EXPECT_EQ(judge_row(good_row(), {}).reason, Reason::kKept);
  EXPECT_EQ(with("aspect", 3), Reason::kKept);
  EXPECT_EQ(with("aspect", 3.01), Reason::kAspectRatio);
  EXPECT_EQ(with("height", 27), Reason::kTooSmall);
  EXPECT_EQ(with("contrast", 2.9), Reason::kBlank);
  CurateConfig entropy;
  entropy.quality.min_entropy = 0.1;
  EXPECT_EQ(with("entropy", 0.05, entropy), Reason::kBlank);
  EXPECT_EQ(with("dark_share", 0.999), Reason::kDark);
  EXPECT_EQ(with("bright_share", 0.999), Reason::kBright);
  EXPECT_EQ(with("blur", 0.61), Reason::kBlurred);
  EXPECT_EQ(with("caption_chars", 2), Reason::kCaptionShort);
  EXPECT_EQ(with("caption_chars", 4001), Reason::kCaptionLong);
  EXPECT_EQ(with("caption_repetition", 0.6), Reason::kCaptionRepetition);
  EXPECT_EQ(with("caption_symbols", 0.6), Reason::kCaptionSymbols);
  EXPECT_EQ(with("caption_controls", 1), Reason::kCaptionControls);
  EXPECT_EQ(with("caption_media_tag", 1), Reason::kCaptionMediaTag);
}

TEST(Thresholds, OptionalFilters) {
  CurateConfig config;
  EXPECT_EQ(with("caption_gain", -5), Reason::kKept);
  config.similarity.min_gain = 0.1;
  EXPECT_EQ(with("caption_gain", 0.05, config), Reason::kTextImageSimilarity);
  EXPECT_EQ(judge_row(good_row(), config).reason, Reason::kKept);  // could not be told
  ScoreRow row = good_row();
  row.caption.clear();
  EXPECT_EQ(judge_row(row, config).reason, Reason::kKept);
  config.text.require_caption = true;
  EXPECT_EQ(judge_row(row, config).reason, Reason::kNoCaption);
}

TEST(Thresholds, ScorersFromOutside) {
  CurateConfig config;
  config.scorers.resize(2);
  config.scorers[0].name = "a";
  config.scorers[1].name = "b";
  config.scorers[1].min = 4.5;
  config.scorers[1].max = 9;
  EXPECT_EQ(with("b", 4.5, config), Reason::kKept);
  EXPECT_EQ(with("b", 4.4, config), Reason::kScorer);
  EXPECT_EQ(with("b", 9.1, config), Reason::kScorer);
  EXPECT_EQ(judge_row(good_row(), config).reason, Reason::kKept);
  config.scorers[1].required = true;
  const Verdict verdict = judge_row(good_row(), config);
  EXPECT_EQ(verdict.reason, Reason::kScorer);
  EXPECT_EQ(verdict.scorer, 1);
}

TEST(Thresholds, VideosNeedMotionAndAClip) {
  ScoreRow row = good_row();
  row.kind = "video";
  row.scores["static_share"] = 0.5;
  EXPECT_EQ(judge_row(row, {}).reason, Reason::kNoClip);
  row.clip_end_s = 3;
  EXPECT_EQ(judge_row(row, {}).reason, Reason::kKept);
  row.scores["static_share"] = 0.95;
  EXPECT_EQ(judge_row(row, {}).reason, Reason::kStatic);
}

// A clip of 0.3 s has one frame that is looked at, and was called static.
TEST(Thresholds, AVideoTooShortForAClipIsNotCalledStatic) {
  ScoreRow row = good_row();
  row.kind = "video";
  row.scores["static_share"] = 1;
  EXPECT_EQ(judge_row(row, {}).reason, Reason::kNoClip);
}

TEST(Thresholds, NewCaptionsPassTheSameTextFilters) {
  EXPECT_EQ(judge_caption("A red circle", {}), Reason::kKept);
  EXPECT_EQ(judge_caption("", {}), Reason::kKept);
  EXPECT_EQ(judge_caption("no", {}), Reason::kCaptionShort);
  EXPECT_EQ(judge_caption("see <image>", {}), Reason::kCaptionMediaTag);
  EXPECT_EQ(judge_caption("so it so it so it so it so it", {}), Reason::kCaptionRepetition);
}

TEST(Thresholds, ColumnsAreReadFromTheAnnotation) {
  CurateConfig config;
  config.scorers.resize(3);
  config.scorers[0].name = "clip";
  config.scorers[0].column = "clip_similarity";
  config.scorers[1].name = "nsfw";
  config.scorers[2].name = "model";
  config.scorers[2].kind = "torchscript";
  ScoreRow row = good_row();
  row.source = R"({"clip_similarity": 0.25, "nsfw": "no", "model": 3})";
  row.scores["nsfw"] = 7;  // of another column, from before
  take_columns(config, &row);
  EXPECT_EQ(row.scores.at("clip"), 0.25);
  EXPECT_EQ(row.scores.count("nsfw"), 0u);
  EXPECT_EQ(row.scores.count("model"), 0u);
  row.source.clear();
  take_columns(config, &row);
  EXPECT_EQ(row.scores.count("clip"), 0u);
}

TEST(Thresholds, AnUnusableRowStaysSo) {
  ScoreRow row = good_row();
  row.reason = "corrupt";
  EXPECT_EQ(judge_row(row, {}).reason, Reason::kUnusable);
}

}  // namespace
}  // namespace vl3::curate
