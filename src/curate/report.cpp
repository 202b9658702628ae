#include "curate/report.h"

#include <algorithm>

#include "curate/item_judge.h"
#include "curate/row_reader.h"
#include "media/data_url.h"
#include "synth/artefacts.h"

namespace vl3::curate {

extern const char* const kReportTemplate;  // made out of report.html

namespace {

constexpr int kThumbSide = 144;
constexpr int kThumbQuality = 80;

media::Frame shrink(const media::Frame& picture) {
  const int most = std::max(picture.height, picture.width);
  if (most <= kThumbSide) return picture;
  media::Frame small;
  small.height = std::max(1, picture.height * kThumbSide / most);
  small.width = std::max(1, picture.width * kThumbSide / most);
  for (int y = 0; y < small.height; ++y) {
    for (int x = 0; x < small.width; ++x) {
      const int y0 = y * picture.height / small.height,
                y1 = std::max(y0 + 1, (y + 1) * picture.height / small.height);
      const int x0 = x * picture.width / small.width,
                x1 = std::max(x0 + 1, (x + 1) * picture.width / small.width);
      for (int c = 0; c < 3; ++c) {
        int64_t sum = 0;
        for (int v = y0; v < y1; ++v) {
          for (int u = x0; u < x1; ++u)
            sum += picture.rgb[(static_cast<size_t>(v) * static_cast<size_t>(picture.width) +
                                static_cast<size_t>(u)) *
                                   3 +
                               static_cast<size_t>(c)];
        }
        small.rgb.push_back(static_cast<uint8_t>(sum / ((y1 - y0) * (x1 - x0))));
      }
    }
  }
  return small;
}

// What a filter compares a score with, as the page draws it.
OrderedJson bounds_of(const std::string& score, const CurateConfig& config) {
  OrderedJson bounds = OrderedJson::object();
  const auto put = [&bounds](const char* key, double value) { bounds[key] = value; };
  if (score == "aspect") put("max", config.aspect.max_ratio);
  if (score == "contrast") put("min", config.quality.min_contrast);
  if (score == "entropy") put("min", config.quality.min_entropy);
  if (score == "blur") put("max", config.quality.max_blur);
  if (score == "sharpness" && config.quality.min_sharpness > 0) put("min", config.quality.min_sharpness);
  if (score == "caption_chars")
    put("min", static_cast<double>(config.text.min_chars)),
        put("max", static_cast<double>(config.text.max_chars));
  if (score == "caption_repetition") put("max", config.text.max_repetition);
  if (score == "caption_gain" && config.similarity.min_gain) put("min", *config.similarity.min_gain);
  if (score == "static_share") put("max", config.video.max_static_share);
  if (score == "motion" && config.video.min_motion > 0) put("min", config.video.min_motion);
  for (const ScorerConfig& scorer : config.scorers) {
    if (scorer.name != score) continue;
    if (scorer.min) put("min", *scorer.min);
    if (scorer.max) put("max", *scorer.max);
  }
  return bounds;
}

class SampleBook {
 public:
  SampleBook(const ItemSource& source, const CurateConfig& config) : source_(source), config_(config) {}

  OrderedJson picture(int64_t position) {
    int64_t shard = 0, high = source_.shards();
    while (high - shard > 1) {
      const int64_t middle = (shard + high) / 2;
      (source_.begin_of(middle) <= position ? shard : high) = middle;
    }
    if (shard != shard_) items_ = source_.read(shard), shard_ = shard;
    const Judged judged =
        judge_item(items_[static_cast<size_t>(position - source_.begin_of(shard))], config_);
    OrderedJson shown = {{"where", judged.row.where},
                         {"media", judged.row.media.substr(0, 200)},
                         {"caption", judged.row.caption.substr(0, 400)}};
    if (!judged.row.detail.empty()) shown["detail"] = judged.row.detail;
    for (const char* name : {"width", "height"}) {
      if (judged.row.scores.count(name) > 0) shown[name] = judged.row.scores.at(name);
    }
    if (!judged.picture.rgb.empty())
      shown["picture"] =
          media::encode_data_url("image/jpeg", synth::encode_jpeg(shrink(judged.picture), kThumbQuality));
    return shown;
  }

 private:
  const ItemSource& source_;
  const CurateConfig& config_;
  int64_t shard_ = -1;
  std::vector<Item> items_;
};

OrderedJson funnel_of(const ReportData& data) {
  OrderedJson funnel = OrderedJson::array();
  int64_t left = data.items;
  for (int s = 0; s < kStages; ++s) {
    const int64_t dropped = data.dropped_at[static_cast<size_t>(s)];
    left -= dropped;
    funnel.push_back({{"stage", stage_name(static_cast<Stage>(s))}, {"dropped", dropped}, {"left", left}});
  }
  return funnel;
}

OrderedJson clusters_of(const ClusterSummary& summary) {
  OrderedJson clusters = {
      {"count", summary.clusters}, {"quota", summary.quota}, {"rows", OrderedJson::array()}};
  std::vector<size_t> order(summary.before.size());
  for (size_t c = 0; c < order.size(); ++c) order[c] = c;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return summary.before[a] > summary.before[b]; });
  order.resize(std::min<size_t>(order.size(), 2000));  // what a page can draw
  for (const size_t c : order) {
    const auto at = [c](const std::vector<float>& axis) { return c < axis.size() ? axis[c] : 0.0f; };
    clusters["rows"].push_back(
        {c, summary.before[c], summary.after[c], at(summary.map_x), at(summary.map_y)});
  }
  return clusters;
}

}  // namespace

std::string report_html(const ReportData& data, const ItemSource& source, const CurateConfig& config,
                        const Selection& selection, const OrderedJson& seconds) {
  OrderedJson page;
  page["name"] = config.name;
  page["items"] = data.items;
  page["kept"] = data.kept;
  page["model"] = config.model;
  page["features"] = config.features;
  page["funnel"] = funnel_of(data);
  page["reasons"] = data.reasons;
  page["histograms"] = OrderedJson::array();
  for (const auto& [name, histogram] : data.histograms) {
    int64_t total = 0;
    for (size_t b = 0; b < Histogram::kBins; ++b) total += histogram.kept[b] + histogram.dropped[b];
    if (total == 0) continue;
    page["histograms"].push_back({{"score", name},
                                  {"low", histogram.low},
                                  {"high", histogram.high},
                                  {"log", histogram.logarithmic},
                                  {"kept", histogram.kept},
                                  {"dropped", histogram.dropped},
                                  {"bounds", bounds_of(name, config)}});
  }
  page["clusters"] = clusters_of(selection.clusters);
  SampleBook book(source, config);
  page["samples"] = OrderedJson::object();
  for (const auto& [reason, samples] : data.samples) {
    std::vector<int64_t> positions = samples.positions;
    std::sort(positions.begin(), positions.end());
    OrderedJson& shown = page["samples"][reason] = OrderedJson::array();
    for (const int64_t position : positions) {
      OrderedJson entry = book.picture(position);
      const Verdict verdict = selection.verdicts->get(position);
      if (verdict.other >= 0 && verdict.reason != Reason::kCaptionTemplate)
        entry["twin"] = book.picture(verdict.other);
      shown.push_back(std::move(entry));
    }
  }
  page["seconds"] = seconds;

  std::string json = page.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  for (size_t at = json.find('<'); at != std::string::npos; at = json.find('<', at))
    json.replace(at, 1, "\\u003c");
  std::string html = kReportTemplate;
  const std::string mark = "\"VL3_REPORT_DATA\"";
  html.replace(html.find(mark), mark.size(), json);
  return html;
}

}  // namespace vl3::curate
