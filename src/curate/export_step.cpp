#include "curate/export_step.h"

#include <optional>

#include "core/check.h"
#include "core/file.h"
#include "curate/caption_step.h"
#include "curate/caption_templates.h"
#include "curate/media_path.h"
#include "curate/row_reader.h"
#include "curate/tar_writer.h"
#include "curate/text_measures.h"
#include "curate/thresholds.h"
#include "data/bad_sample.h"
#include "media/sniff.h"

namespace vl3::curate {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMaxMember = 1ull << 30;

const char* video_extension(std::string_view head) {
  using std::literals::string_view_literals::operator""sv;
  if (head.starts_with("GIF8")) return "gif";
  if (head.starts_with("\x1a\x45\xdf\xa3"sv))
    return head.substr(0, 64).find("webm") != std::string_view::npos ? "webm" : "mkv";
  if (head.starts_with("RIFF")) return "avi";
  if (head.starts_with("OggS")) return "ogv";
  if (head.starts_with("FLV")) return "flv";
  if (head.starts_with("\0\0\x01\xba"sv)) return "mpg";
  if (head.starts_with("\x47")) return "ts";
  if (head.substr(4, 8) == "ftypqt  ") return "mov";
  return "mp4";
}

const char* extension_of(std::string_view head, bool video) {
  if (video) return video_extension(head);
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

// Why a kept item is not exported; what is wanted of it otherwise.
struct Sample {
  std::string refusal, detail;
  std::string text;
  std::shared_ptr<const std::string> bytes;  // where they are wanted
};

class Exporter {
 public:
  Exporter(const CurateConfig& config, const fs::path& folder)
      : config_(config), folder_(folder), kept_(folder / "kept.jsonl"), dropped_(folder / "dropped.jsonl") {
    official_ = config.exports.format == "official" || config.exports.format == "both";
    tars_ = config.exports.format == "webdataset" || config.exports.format == "both";
    if (official_) train_.emplace(folder / "train.jsonl");
    if (tars_) fs::create_directories(folder / "webdataset");
  }

  /// @return why a kept item is not exported; "" where it is, and for dropped ones.
  std::string add(const ScoreRow& row, const Verdict& verdict, const std::string& reason,
                  const NewCaption& caption, const Item& item) {
    OrderedJson line = line_of(row, verdict, reason, caption);
    if (!reason.empty()) {
      write_line(line, &dropped_);
      return "";
    }
    const Sample sample = sample_of(row, caption, item);
    if (!sample.refusal.empty()) line["not_exported"] = sample.refusal;
    if (!sample.detail.empty())
      line["detail"] = row.detail.empty() ? sample.detail : row.detail + "; " + sample.detail;
    write_line(line, &kept_);
    if (sample.refusal.empty()) write_sample(row, sample, item);
    return sample.refusal;
  }

  void commit() {
    if (tar_) tar_->commit();
    if (train_) train_->commit();
    kept_.commit();
    dropped_.commit();
  }

 private:
  static OrderedJson line_of(const ScoreRow& row, const Verdict& verdict, const std::string& reason,
                             const NewCaption& caption) {
    OrderedJson line;
    line["position"] = row.position;
    line["where"] = row.where;
    if (!row.id.empty()) line["id"] = row.id;
    line["media"] = row.media;
    if (!row.kind.empty()) line["kind"] = row.kind;
    if (!row.caption.empty()) line["caption"] = row.caption;
    if (!reason.empty()) {
      line["reason"] = reason;
      if (verdict.other >= 0) line["duplicate_of"] = verdict.other;
      if (verdict.other >= 0) line["likeness"] = verdict.value;
    }
    if (!row.detail.empty()) line["detail"] = row.detail;
    if (!caption.short_caption.empty()) line["short_caption"] = caption.short_caption;
    if (!caption.detailed_caption.empty()) line["detailed_caption"] = caption.detailed_caption;
    if (!caption.error.empty()) line["caption_error"] = caption.error;
    if (row.clip_end_s > 0) line["clip"] = {row.clip_start_s, row.clip_end_s};
    if (verdict.cluster >= 0) line["cluster"] = verdict.cluster;
    line["scores"] = row.scores;
    return line;
  }

  Sample sample_of(const ScoreRow& row, const NewCaption& caption, const Item& item) const {
    Sample sample;
    sample.text = export_caption(row, caption, config_.exports);
    if (sample.text.empty()) {
      sample.refusal = "no caption";
    } else if (!is_clean(measure_text(sample.text))) {
      sample.refusal = "caption not fit for training";
    }
    if (sample.refusal.empty() && !is_carried(item) && (official_ || tars_)) look_again(row, item, &sample);
    if (sample.refusal.empty() && (tars_ || (official_ && is_carried(item)))) load(item, &sample);
    return sample;
  }

  static bool is_carried(const Item& item) { return !(item.bytes == nullptr); }

  // The medium was there when it was scored; by now it may be gone, or another.
  static void look_again(const ScoreRow& row, const Item& item, Sample* sample) {
    const ResolvedMedia found = resolve_media(item.root, item.media);
    sample->refusal = found.reason;
    sample->detail = found.detail;
    const auto scored = row.scores.find("bytes");
    if (!found.reason.empty() || scored == row.scores.end()) return;
    std::error_code error;
    const auto bytes = static_cast<double>(fs::file_size(found.path, error));
    if (!error && bytes == scored->second) return;
    sample->refusal = "changed";
    sample->detail =
        error ? error.message() : fmt::format("{} bytes, {} when it was scored", bytes, scored->second);
  }

  static void load(const Item& item, Sample* sample) {
    try {
      if (is_carried(item)) {
        VL3_CHECK(item.bytes.size() <= kMaxMember, kResourceExhausted, "{} bytes, the limit is {}",
                  item.bytes.size(), kMaxMember);
        sample->bytes = item.bytes.load();
        return;
      }
      sample->bytes = std::make_shared<const std::string>(
          read_file(resolve_media(item.root, item.media).path, kMaxMember));
    } catch (const data::BadSample& error) {
      sample->refusal = "broken_tar_sample";
      sample->detail = error.what();
    } catch (const Error& error) {
      sample->refusal = error.code() == ErrorCode::kResourceExhausted ? "too_large" : "missing";
      sample->detail = error.what();
    }
  }

  void write_sample(const ScoreRow& row, const Sample& sample, const Item& item) {
    if (!official_ && !tars_) return;
    const std::string stem = fmt::format("{:09}", row.position);
    std::string media = row.media;
    if (official_ && is_carried(item)) {  // out of a tar: trainers get a file
      media = fmt::format("{}.{}", stem, extension_of(*sample.bytes, row.kind == "video"));
      fs::create_directories(folder_ / "media");
      write_file_atomically(folder_ / "media" / media, *sample.bytes);
    }
    if (official_) write_line(training_record(row, media, sample.text, config_), &*train_);
    if (!tars_) return;
    if (samples_ % config_.exports.shard_items == 0) {
      if (tar_) tar_->commit();
      tar_.emplace(folder_ / "webdataset" / fmt::format("{:05}.tar", samples_ / config_.exports.shard_items));
    }
    ++samples_;
    const std::string name = fmt::format("{}.{}", stem, extension_of(*sample.bytes, row.kind == "video"));
    tar_->add(name, *sample.bytes);
    tar_->add(stem + ".txt", sample.text);
    tar_->add(stem + ".json", training_record(row, name, sample.text, config_)
                                  .dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }

  const CurateConfig& config_;
  const fs::path folder_;
  bool official_ = false, tars_ = false;
  AtomicFile kept_, dropped_;
  std::optional<AtomicFile> train_;
  std::optional<TarWriter> tar_;
  int64_t samples_ = 0;
};

}  // namespace

ReportData export_items(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                        const Selection& selection, const fs::path& folder, const StepHooks& hooks) {
  ReportData report(config, selection.axes);
  Exporter exporter(config, folder);
  for (int64_t shard = 0; shard < source.shards(); ++shard) {
    hooks.stop_if_asked("writing");
    const std::unique_ptr<ItemReader> items = source.open(shard);
    const int64_t begin = source.begin_of(shard);
    hooks.show("write", begin, selection.items);
    const std::vector<Verdict> verdicts = selection.verdicts->get(begin, source.size_of(shard));
    const std::map<int64_t, NewCaption> captions = read_captions(layout, shard, config);
    each_row(layout.scores(shard), [&](ScoreRow row) {
      const std::optional<Item> item = items->next();
      VL3_CHECK(item && item->position == row.position, kCorrupt, "{}: item {} is none of the shard's",
                layout.scores(shard).string(), row.position);
      const auto index = static_cast<size_t>(row.position - begin);
      take_columns(config, &row);
      const std::string reason = reason_of(row, verdicts[index], config);
      const auto found = captions.find(row.position);
      const NewCaption caption = found == captions.end() ? NewCaption{} : found->second;
      const std::string refusal = exporter.add(row, verdicts[index], reason, caption, *item);
      report.add(row, verdicts[index], reason);
      if (reason.empty()) report.add_caption(caption, refusal);
    });
  }
  VL3_CHECK(report.items == selection.items, kInternal, "{} of {} items were written", report.items,
            selection.items);
  exporter.commit();
  return report;
}

}  // namespace vl3::curate
