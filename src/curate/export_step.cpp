#include "curate/export_step.h"

#include <optional>

#include "core/check.h"
#include "core/file.h"
#include "curate/caption_step.h"
#include "curate/caption_templates.h"
#include "curate/media_path.h"
#include "curate/row_reader.h"
#include "curate/tar_writer.h"
#include "media/sniff.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxMember = 1ull << 30;

const char* extension_of(std::string_view head, bool video) {
  if (video) return "mp4";
  switch (media::sniff_still(head)) {
    case media::StillFormat::kPng:
      return "png";
    case media::StillFormat::kWebp:
      return "webp";
    case media::StillFormat::kGif:
      return "gif";
    case media::StillFormat::kBmp:
      return "bmp";
    case media::StillFormat::kTiff:
      return "tif";
    case media::StillFormat::kHeif:
      return "heic";
    case media::StillFormat::kAvif:
      return "avif";
    default:
      return "jpg";
  }
}

void write_line(const OrderedJson& json, AtomicFile* out) {
  const std::string line = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  out->append(line.data(), line.size());
}

class Exporter {
 public:
  Exporter(const CurateConfig& config, const OutputLayout& layout)
      : config_(config),
        layout_(layout),
        kept_(layout.output / "kept.jsonl"),
        dropped_(layout.output / "dropped.jsonl") {
    official_ = config.exports.format == "official" || config.exports.format == "both";
    tars_ = config.exports.format == "webdataset" || config.exports.format == "both";
    if (official_) train_.emplace(layout.output / "train.jsonl");
    if (tars_) fs::remove_all(layout.output / "webdataset");
    if (tars_) fs::create_directories(layout.output / "webdataset");
  }

  void add(const ScoreRow& row, const Verdict& verdict, const std::string& reason, const NewCaption& caption,
           const Item& item) {
    OrderedJson line;
    line["position"] = row.position;
    line["where"] = row.where;
    if (!row.id.empty()) line["id"] = row.id;
    line["media"] = row.media;
    if (!row.kind.empty()) line["kind"] = row.kind;
    if (!row.caption.empty()) line["caption"] = row.caption;
    if (!reason.empty()) {
      line["reason"] = reason;
      if (!row.detail.empty()) line["detail"] = row.detail;
      if (verdict.other >= 0) line["duplicate_of"] = verdict.other;
      if (verdict.other >= 0) line["likeness"] = verdict.value;
    }
    if (!caption.short_caption.empty()) line["short_caption"] = caption.short_caption;
    if (!caption.detailed_caption.empty()) line["detailed_caption"] = caption.detailed_caption;
    if (!caption.error.empty()) line["caption_error"] = caption.error;
    if (row.clip_end_s > 0) line["clip"] = {row.clip_start_s, row.clip_end_s};
    if (verdict.cluster >= 0) line["cluster"] = verdict.cluster;
    line["scores"] = row.scores;
    if (!reason.empty()) return write_line(line, &dropped_);
    const std::string text = export_caption(row, caption, config_.exports);
    if (text.empty()) line["not_exported"] = "no caption";
    write_line(line, &kept_);
    if (!text.empty()) write_sample(row, text, item);
  }

  void commit() {
    if (tar_) tar_->commit();
    if (train_) train_->commit();
    kept_.commit();
    dropped_.commit();
  }

 private:
  void write_sample(const ScoreRow& row, const std::string& text, const Item& item) {
    if (!official_ && !tars_) return;
    std::shared_ptr<const std::string> bytes = item.bytes;
    if (bytes == nullptr && tars_) {
      const ResolvedMedia found = resolve_media(item.root, item.media);
      VL3_CHECK(found.reason.empty(), kNotFound, "{}: was there when it was scored: {}", row.where,
                found.reason);
      bytes = std::make_shared<const std::string>(read_file(found.path, kMaxMember));
    }
    const std::string stem = fmt::format("{:09}", row.position);
    std::string media = row.media;
    if (official_ && item.bytes != nullptr) {  // out of a tar: trainers get a file
      media = fmt::format("{}.{}", stem, extension_of(*bytes, row.kind == "video"));
      fs::create_directories(layout_.output / "media");
      write_file_atomically(layout_.output / "media" / media, *bytes);
    }
    if (official_) write_line(training_record(row, media, text, config_), &*train_);
    if (!tars_) return;
    if (samples_ % config_.exports.shard_items == 0) {
      if (tar_) tar_->commit();
      tar_.emplace(layout_.output / "webdataset" /
                   fmt::format("{:05}.tar", samples_ / config_.exports.shard_items));
    }
    ++samples_;
    const std::string name = fmt::format("{}.{}", stem, extension_of(*bytes, row.kind == "video"));
    tar_->add(name, *bytes);
    tar_->add(stem + ".txt", text);
    tar_->add(stem + ".json", training_record(row, name, text, config_)
                                  .dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }

  const CurateConfig& config_;
  const OutputLayout& layout_;
  bool official_ = false, tars_ = false;
  AtomicFile kept_, dropped_;
  std::optional<AtomicFile> train_;
  std::optional<TarWriter> tar_;
  int64_t samples_ = 0;
};

}  // namespace

ReportData export_items(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                        const Selection& selection) {
  ReportData report(config);
  Exporter exporter(config, layout);
  for (int64_t shard = 0; shard < source.shards(); ++shard) {
    const std::vector<Item> items = source.read(shard);
    const int64_t begin = source.begin_of(shard);
    const std::vector<Verdict> verdicts = selection.verdicts->get(begin, std::ssize(items));
    const std::map<int64_t, NewCaption> captions = read_captions(layout, shard, config);
    each_row(layout.scores(shard), [&](const ScoreRow& row) {
      const auto index = static_cast<size_t>(row.position - begin);
      VL3_CHECK(index < items.size(), kCorrupt, "{}: item {} is none of the shard's",
                layout.scores(shard).string(), row.position);
      const std::string reason = reason_of(row, verdicts[index], config);
      const auto caption = captions.find(row.position);
      exporter.add(row, verdicts[index], reason, caption == captions.end() ? NewCaption{} : caption->second,
                   items[index]);
      report.add(row, verdicts[index], reason);
    });
  }
  VL3_CHECK(report.items == selection.items, kInternal, "{} of {} items were written", report.items,
            selection.items);
  exporter.commit();
  return report;
}

}  // namespace vl3::curate
