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

ReportData::ReportData(const CurateConfig& config) : seed_(config.seed) {
  histograms["aspect"] = {1, 20, true, {}, {}};
  histograms["contrast"] = {0, 128, false, {}, {}};
  histograms["entropy"] = {0, 6, false, {}, {}};
  histograms["blur"] = {0, 1, false, {}, {}};
  histograms["sharpness"] = {1, 20'000, true, {}, {}};
  histograms["exposure"] = {0, 255, false, {}, {}};
  histograms["caption_chars"] = {1, 4096, true, {}, {}};
  histograms["caption_repetition"] = {0, 1, false, {}, {}};
  if (config.model != "none") histograms["caption_gain"] = {-2, 4, false, {}, {}};
  histograms["static_share"] = {0, 1, false, {}, {}};
  histograms["motion"] = {0, 1, false, {}, {}};
  for (const ScorerConfig& scorer : config.scorers) {
    const double low = scorer.min.value_or(scorer.max.value_or(10) - 10),
                 high = scorer.max.value_or(low + 10);
    const double margin = std::max(1e-6, high - low) / 2;
    histograms[scorer.name] = {low - margin, high + margin, false, {}, {}};
  }
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
