#include "curate/report_data.h"

#include <algorithm>
#include <cmath>

#include "core/hash.h"
#include "synth/rng.h"

namespace vl3::curate {

void Histogram::add(double value, bool is_kept) {
  const double at = logarithmic ? std::log(std::max(value, low) / low) / std::log(high / low)
                                : (value - low) / (high - low);
  const auto bin = static_cast<size_t>(std::clamp(at, 0.0, 1.0 - 1e-9) * kBins);
  ++(is_kept ? kept : dropped)[bin];
}

namespace {

// The values and the bounds, with a little room on both sides: a threshold is always in sight.
Histogram histogram_of(const Bounds& bounds, const std::optional<ScoreAxis>& axis) {
  std::vector<double> ends;
  if (axis) ends = {axis->first, axis->second};
  for (const std::optional<double>& bound : {bounds.min, bounds.max}) {
    if (bound) ends.push_back(*bound);
  }
  if (ends.empty()) ends = {0, 1};
  const auto [low, high] = std::minmax_element(ends.begin(), ends.end());
  const double width = *high - *low;
  const double room = width > 0 ? 0.05 * width : std::max(1e-6, 0.5 * std::abs(*low));
  return {*low - room, *high + room, false, {}, {}};
}

}  // namespace

Bounds bounds_of(const std::string& score, const CurateConfig& config) {
  const QualityConfig& quality = config.quality;
  const auto from = [](double bound) { return bound > 0 ? Bounds{bound, {}} : Bounds{}; };
  const auto to = [](double bound) { return bound < 1 ? Bounds{{}, bound} : Bounds{}; };
  if (score == "aspect") return {{}, config.aspect.max_ratio};
  if (score == "contrast") return from(quality.min_contrast);
  if (score == "entropy") return from(quality.min_entropy);
  if (score == "blur") return to(quality.max_blur);
  if (score == "sharpness") return from(quality.min_sharpness);
  if (score == "dark_share") return to(quality.max_dark_share);
  if (score == "bright_share") return to(quality.max_bright_share);
  if (score == "caption_chars") {
    return {from(static_cast<double>(config.text.min_chars)).min, static_cast<double>(config.text.max_chars)};
  }
  if (score == "caption_repetition") return to(config.text.max_repetition);
  if (score == "caption_symbols") return to(config.text.max_symbol_share);
  if (score == "caption_gain") return {config.similarity.min_gain, {}};
  if (score == "static_share") return to(config.video.max_static_share);
  if (score == "motion") return from(config.video.min_motion);
  for (const ScorerConfig& scorer : config.scorers) {
    if (scorer.name == score) return {scorer.min, scorer.max};
  }
  return {};
}

ReportData::ReportData(const CurateConfig& config, const std::map<std::string, ScoreAxis>& axes)
    : seed_(config.seed),
      wants_short_(config.caption.short_caption),
      wants_detailed_(config.caption.detailed_caption) {
  histograms["aspect"] = {1, 20, true, {}, {}};
  histograms["contrast"] = {0, 128, false, {}, {}};
  histograms["entropy"] = {0, 6, false, {}, {}};
  histograms["blur"] = {0, 1, false, {}, {}};
  histograms["sharpness"] = {1, 20'000, true, {}, {}};
  histograms["exposure"] = {0, 255, false, {}, {}};
  histograms["caption_chars"] = {1, 4096, true, {}, {}};
  histograms["caption_repetition"] = {0, 1, false, {}, {}};
  histograms["static_share"] = {0, 1, false, {}, {}};
  histograms["motion"] = {0, 1, false, {}, {}};
  for (const char* name : {"dark_share", "bright_share", "caption_symbols"}) {  // dull without a threshold
    if (bounds_of(name, config).max) histograms[name] = {0, 1, false, {}, {}};
  }
  const auto by_values = [&](const std::string& name) {
    const auto axis = axes.find(name);
    histograms[name] = histogram_of(bounds_of(name, config),
                                    axis == axes.end() ? std::nullopt : std::optional(axis->second));
  };
  if (config.model != "none") by_values("caption_gain");
  for (const ScorerConfig& scorer : config.scorers) by_values(scorer.name);
}

void ReportData::add(const ScoreRow& row, const Verdict& verdict, const std::string& reason) {
  const bool is_kept = reason.empty();
  ++items;
  kept += is_kept ? 1 : 0;
  if (!is_kept) {
    ++reasons[reason];
    ++dropped_at[static_cast<size_t>(stage_of(verdict.reason))];
  }
  for (auto& [name, histogram] : histograms) {
    const auto it = row.scores.find(name);
    if (it != row.scores.end()) histogram.add(it->second, is_kept);
  }
  Samples& of = samples[is_kept ? "kept" : reason];
  const uint64_t drawn = synth::mix(seed_ ^ fnv1a(reason), static_cast<uint64_t>(row.position));
  const auto slot = static_cast<size_t>(drawn % static_cast<uint64_t>(++of.seen));
  if (of.positions.size() < kSamples) {
    of.positions.push_back(row.position);
  } else if (slot < kSamples) {
    of.positions[slot] = row.position;
  }
}

void ReportData::add_caption(const NewCaption& caption, const std::string& refusal) {
  if (!refusal.empty()) ++not_exported[refusal];
  const auto count = [&](bool wanted, bool answered, const std::string& text, int64_t* made) {
    if (!wanted) return;
    if (answered && !text.empty()) {
      ++*made;
    } else if (answered) {
      ++captions.unfit;
      ++captions.faults[caption.error.empty() ? "unfit" : caption.error.substr(0, 60)];
    } else {
      ++captions.lacking;
      if (captions.first_error.empty()) captions.first_error = caption.error.substr(0, 300);
    }
  };
  count(wants_short_, !caption.short_by.empty(), caption.short_caption, &captions.short_made);
  count(wants_detailed_, !caption.detailed_by.empty(), caption.detailed_caption, &captions.detailed_made);
}

std::string reason_of(const ScoreRow& row, const Verdict& verdict, const CurateConfig& config) {
  switch (verdict.reason) {
    case Reason::kKept:
      return "";
    case Reason::kUnusable:
      return row.reason;
    case Reason::kScorer:
      return "score:" + config.scorers.at(verdict.scorer).name;
    default:
      return std::string(reason_name(verdict.reason));
  }
}

}  // namespace vl3::curate
