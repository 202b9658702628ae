#include "curate/report_data.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vl3::curate {
namespace {

TEST(ReportData, CountsStagesReasonsAndKeepsAFewSamplesOfEach) {
  const CurateConfig config;
  ReportData data(config);
  for (int64_t i = 0; i < 10'000; ++i) {
    ScoreRow row;
    row.position = i;
    row.scores["aspect"] = i % 4 == 0 ? 5 : 1.5;
    Verdict verdict;
    if (i % 4 == 0) verdict.reason = Reason::kAspectRatio;
    data.add(row, verdict, reason_of(row, verdict, config));
  }
  EXPECT_EQ(data.items, 10'000);
  EXPECT_EQ(data.kept, 7'500);
  EXPECT_EQ(data.reasons.at("aspect_ratio"), 2'500);
  EXPECT_EQ(data.dropped_at[static_cast<size_t>(Stage::kAspect)], 2'500);
  for (const char* of : {"kept", "aspect_ratio"}) {
    const Samples& samples = data.samples.at(of);
    EXPECT_EQ(samples.positions.size(), ReportData::kSamples) << of;
    // Drawn from all over, not the first or the last ones.
    EXPECT_GT(*std::max_element(samples.positions.begin(), samples.positions.end()), 2'000) << of;
    EXPECT_LT(*std::min_element(samples.positions.begin(), samples.positions.end()), 8'000) << of;
  }
}

TEST(ReportData, HistogramBinsClampWhatLiesOutside) {
  Histogram linear{0, 10, false, {}, {}};
  for (const double value : {-5.0, 0.0, 9.99, 10.0, 50.0}) linear.add(value, true);
  EXPECT_EQ(linear.kept[0], 2);
  EXPECT_EQ(linear.kept[Histogram::kBins - 1], 3);
  Histogram logarithmic{1, 10'000, true, {}, {}};
  for (const double value : {0.0, 1.0, 100.0, 1e9}) logarithmic.add(value, false);
  EXPECT_EQ(logarithmic.dropped[0], 2);
  EXPECT_EQ(logarithmic.dropped[Histogram::kBins / 2], 1);
  EXPECT_EQ(logarithmic.dropped[Histogram::kBins - 1], 1);
}

// With one bound the axis was drawn around it, wherever the values were.
TEST(ReportData, ScorersAreDrawnWhereTheirValuesAreWithTheThresholdInSight) {
  CurateConfig config;
  config.scorers.resize(2);
  config.scorers[0].name = "clip";
  config.scorers[0].min = 0.2;
  config.scorers[1].name = "constant";
  const ReportData data(config, {{"clip", {0.25, 0.45}}, {"constant", {3, 3}}});
  const Histogram& clip = data.histograms.at("clip");
  EXPECT_LT(clip.low, 0.2);
  EXPECT_GT(clip.low, 0.15);
  EXPECT_GT(clip.high, 0.45);
  EXPECT_LT(clip.high, 0.5);
  EXPECT_LT(data.histograms.at("constant").low, 3);
  EXPECT_GT(data.histograms.at("constant").high, 3);
}

TEST(ReportData, ThresholdsThatAreOffAreNotDrawn) {
  CurateConfig config;
  EXPECT_FALSE(bounds_of("entropy", config).min);
  EXPECT_EQ(bounds_of("dark_share", config).max, 0.995);
  EXPECT_EQ(ReportData(config).histograms.count("dark_share"), 1u);
  EXPECT_EQ(ReportData(config).histograms.count("caption_symbols"), 1u);
  config.quality.max_dark_share = 1;
  config.quality.min_entropy = 0.5;
  EXPECT_EQ(ReportData(config).histograms.count("dark_share"), 0u);
  EXPECT_EQ(bounds_of("entropy", config).min, 0.5);
}

TEST(ReportData, CountsWhatBecameOfNewCaptions) {
  CurateConfig config;
  config.caption.short_caption = true;
  ReportData data(config);
  NewCaption made, unfit, failed;
  made.short_by = unfit.short_by = "model";
  made.short_caption = "A box.";
  unfit.error = "cut off";
  failed.error = "no memory";
  data.add_caption(made, "");
  data.add_caption(unfit, "no caption");
  data.add_caption(failed, "no caption");
  data.add_caption({}, "no caption");
  EXPECT_EQ(data.captions.short_made, 1);
  EXPECT_EQ(data.captions.detailed_made, 0);
  EXPECT_EQ(data.captions.unfit, 1);
  EXPECT_EQ(data.captions.faults.at("cut off"), 1);
  EXPECT_EQ(data.captions.lacking, 2);
  EXPECT_EQ(data.captions.first_error, "no memory");
  EXPECT_EQ(data.not_exported.at("no caption"), 3);
}

TEST(ReportData, ReasonsNameTheScorerAndTheRow) {
  CurateConfig config;
  config.scorers.resize(1);
  config.scorers[0].name = "aesthetic";
  ScoreRow row;
  Verdict verdict;
  EXPECT_EQ(reason_of(row, verdict, config), "");
  verdict.reason = Reason::kScorer;
  EXPECT_EQ(reason_of(row, verdict, config), "score:aesthetic");
  verdict.reason = Reason::kUnusable;
  row.reason = "corrupt";
  EXPECT_EQ(reason_of(row, verdict, config), "corrupt");
}

}  // namespace
}  // namespace vl3::curate
