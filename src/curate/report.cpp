#include "curate/report.h"

#include <algorithm>
#include <set>

#include "curate/caption_step.h"
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

// What a filter compares with, as the page draws it.
OrderedJson to_json(const Bounds& bounds) {
  OrderedJson json = OrderedJson::object();
  if (bounds.min) json["min"] = *bounds.min;
  if (bounds.max) json["max"] = *bounds.max;
  return json;
}

// The items that the page shows, each read once: a shard's others are passed over one by one.
class SampleBook {
 public:
  /// @param positions  in order.
  SampleBook(const ItemSource& source, const CurateConfig& config, const std::set<int64_t>& positions)
      : config_(config), layout_{config.output} {
    auto next = positions.begin();
    for (int64_t shard = 0; shard < source.shards() && next != positions.end(); ++shard) {
      const int64_t end = source.begin_of(shard) + source.size_of(shard);
      if (*next >= end) continue;
      captions_ = read_captions(layout_, shard, config_);
      const std::unique_ptr<ItemReader> reader = source.open(shard);
      while (next != positions.end() && *next < end) {
        const std::optional<Item> item = reader->next();
        if (!item) break;
        if (item->position != *next) continue;
        shown_[*next] = show(*item);
        ++next;
      }
    }
  }

  const OrderedJson& operator[](int64_t position) const { return shown_.at(position); }

 private:
  OrderedJson show(const Item& item) const {
    const Judged judged = judge_item(item, config_);
    OrderedJson shown = {{"where", judged.row.where},
                         {"media", judged.row.media.substr(0, 200)},
                         {"caption", judged.row.caption.substr(0, 400)}};
    if (!judged.row.detail.empty()) shown["detail"] = judged.row.detail;
    if (const auto made = captions_.find(item.position); made != captions_.end()) {
      if (!made->second.short_caption.empty()) shown["short"] = made->second.short_caption.substr(0, 400);
      if (!made->second.detailed_caption.empty())
        shown["detailed"] = made->second.detailed_caption.substr(0, 1200);
      if (!made->second.error.empty()) shown["caption_error"] = made->second.error.substr(0, 200);
    }
    for (const char* name : {"width", "height"}) {
      if (judged.row.scores.count(name) > 0) shown[name] = judged.row.scores.at(name);
    }
    if (!judged.picture.rgb.empty())
      shown["picture"] =
          media::encode_data_url("image/jpeg", synth::encode_jpeg(shrink(judged.picture), kThumbQuality));
    return shown;
  }

 private:
  const CurateConfig& config_;
  const OutputLayout layout_;
  std::map<int64_t, NewCaption> captions_;  // of the shard
  std::map<int64_t, OrderedJson> shown_;
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

OrderedJson captions_of(const CaptionTally& captions, const CaptionConfig& config) {
  OrderedJson json;
  if (config.short_caption) json["short"] = captions.short_made;
  if (config.detailed_caption) json["detailed"] = captions.detailed_made;
  if (json.is_null()) return json;
  json["unfit"] = captions.unfit;
  json["lacking"] = captions.lacking;
  json["faults"] = captions.faults;
  json["first_error"] = captions.first_error;
  return json;
}

OrderedJson duplicates_of(const DuplicateSummary& duplicates, const DuplicatesConfig& config) {
  OrderedJson json = {{"groups", duplicates.groups},
                      {"dropped", duplicates.dropped},
                      {"largest", duplicates.largest},
                      {"sizes", OrderedJson::array()},
                      {"distances", OrderedJson::array()}};
  int64_t from = 0;
  for (size_t s = 0; s < duplicates.sizes.size(); ++s) {
    const bool last = s == duplicates.kSizes.size();
    const int64_t to = last ? 0 : duplicates.kSizes[s];
    const std::string name = last                     ? fmt::format("over {}", duplicates.kSizes[s - 1])
                             : from + 1 < to && s > 0 ? fmt::format("{} to {}", from + 1, to)
                                                      : fmt::format("{}", to);
    json["sizes"].push_back({name, duplicates.sizes[s]});
    from = to;
  }
  const auto bins = static_cast<size_t>(std::clamp<int64_t>(config.max_hash_distance + 1, 0, 32));
  for (size_t bit = 0; bit < bins; ++bit) json["distances"].push_back(duplicates.distances[bit]);
  return json;
}

// Of duplicates: the one it went for.
bool has_twin(const Verdict& verdict) {
  return verdict.other >= 0 && verdict.reason != Reason::kCaptionTemplate;
}

// The item, and its twin with what became of that one.
OrderedJson sample_of(int64_t position, const Selection& selection, const SampleBook& book) {
  OrderedJson entry = book[position];
  const Verdict verdict = selection.verdicts->get(position);
  if (!has_twin(verdict)) return entry;
  entry["likeness"] = verdict.value;
  entry["twin"] = book[verdict.other];
  entry["twin"]["verdict"] = reason_name(selection.verdicts->get(verdict.other).reason);
  return entry;
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
  page["captions"] = captions_of(data.captions, config.caption);
  page["not_exported"] = data.not_exported;
  page["duplicates"] = duplicates_of(selection.duplicates, config.duplicates);
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
                                  {"bounds", to_json(bounds_of(name, config))}});
  }
  page["clusters"] = clusters_of(selection.clusters);
  std::set<int64_t> wanted;
  for (const auto& [reason, samples] : data.samples) {
    for (const int64_t position : samples.positions) {
      wanted.insert(position);
      const Verdict verdict = selection.verdicts->get(position);
      if (has_twin(verdict)) wanted.insert(verdict.other);
    }
  }
  const SampleBook book(source, config, wanted);
  page["samples"] = OrderedJson::object();
  for (const auto& [reason, samples] : data.samples) {
    std::vector<int64_t> positions = samples.positions;
    std::sort(positions.begin(), positions.end());
    OrderedJson& shown = page["samples"][reason] = OrderedJson::array();
    for (const int64_t position : positions) shown.push_back(sample_of(position, selection, book));
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
