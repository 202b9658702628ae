#include "curate/item_judge.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/check.h"
#include "core/digest.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/printable.h"
#include "curate/media_path.h"
#include "curate/picture_measures.h"
#include "curate/text_measures.h"
#include "curate/video_measures.h"
#include "data/bad_sample.h"
#include "data/random_access_file.h"
#include "media/image_reader.h"
#include "media/probe.h"
#include "media/sampled_reader.h"
#include "media/sniff.h"
#include "vl3/error.h"

namespace vl3::curate {
namespace {

constexpr uint64_t kDigestBlock = 1 << 20;
constexpr uint64_t kHeadBytes = 4096;

// Large media are taken in one after the other, however many threads there are.
class LargeOneByOne {
 public:
  static constexpr uint64_t kLarge = 64u << 20;

  /// @param bytes  that are about to be held.
  void hold(uint64_t bytes) {
    if (bytes > kLarge && !lock_.owns_lock()) lock_ = std::unique_lock(mutex_);
  }

 private:
  static inline std::mutex mutex_;
  std::unique_lock<std::mutex> lock_;
};

void refuse(ScoreRow* row, const std::string& reason, const std::string& detail) {
  row->reason = reason;
  row->detail = printable(detail.substr(0, 300));
}

media::MediaLimits limits_of(const ValidityConfig& validity) {
  media::MediaLimits limits;
  limits.max_bytes = static_cast<uint64_t>(validity.max_bytes);
  limits.max_pixels = validity.max_pixels;
  return limits;
}

// Of a video: its size and its first and last MiB, so that an hour of film is not read twice.
// A part of it is another content than the rest.
std::string content_of(const media::MediaData& medium, bool video, const Item& item) {
  Digest digest;
  if (item.start_s || item.end_s)
    digest.add(fmt::format("{} {}\n", item.start_s.value_or(0), item.end_s.value_or(-1)));
  if (medium.in_memory()) {
    digest.add(*medium.bytes);
  } else {
    const data::RandomAccessFile file(medium.path);
    std::string block(kDigestBlock, '\0');
    if (video && file.size() > 2 * kDigestBlock) {
      digest.add(std::to_string(file.size()));
      digest.add(file.read(0, kDigestBlock));
      digest.add(file.read(file.size() - kDigestBlock, kDigestBlock));
    } else {
      for (uint64_t at = 0; at < file.size(); at += kDigestBlock)
        digest.add(block.data(), file.read_some(at, block.data(), block.size()));
    }
  }
  return digest.hex().substr(0, 32);
}

void judge_caption(ScoreRow* row) {
  if (row->caption.empty()) return;
  const TextMeasures text = measure_text(row->caption);
  row->scores["caption_chars"] = static_cast<double>(text.chars);
  row->scores["caption_words"] = static_cast<double>(text.words);
  row->scores["caption_repetition"] = text.repetition;
  row->scores["caption_symbols"] = text.symbol_share;
  row->scores["caption_controls"] = static_cast<double>(text.controls);
  row->scores["caption_media_tag"] = text.has_media_tag ? 1 : 0;
  row->caption_key = fmt::format("{:016x}", fnv1a(caption_template(row->caption)));
}

void judge_picture(const media::Frame& picture, ScoreRow* row) {
  const PictureMeasures measures = measure(picture);
  row->scores["contrast"] = measures.contrast;
  row->scores["entropy"] = measures.entropy;
  row->scores["sharpness"] = measures.sharpness;
  row->scores["blur"] = measures.blur;
  row->scores["exposure"] = measures.exposure;
  row->scores["dark_share"] = measures.dark_share;
  row->scores["bright_share"] = measures.bright_share;
  row->likeness = likeness_of(picture);
}

void judge_size(int height, int width, ScoreRow* row) {
  row->scores["height"] = height;
  row->scores["width"] = width;
  row->scores["aspect"] = static_cast<double>(std::max(height, width)) / std::max(1, std::min(height, width));
}

media::Frame judge_video(const media::MediaData& medium, const Item& item, const CurateConfig& config,
                         const media::MediaLimits& limits, ScoreRow* row) {
  const media::MediaInfo info = media::probe_media(medium, Flow::kNative, limits, media::MediaKind::kVideo);
  judge_size(info.height, info.width, row);
  media::SampleOptions options;
  options.flow = Flow::kNative;
  const double source_fps = info.duration_s > 0 ? static_cast<double>(info.frames) / info.duration_s : 0;
  options.fps = source_fps > 0 ? std::min(config.video.sample_fps, source_fps) : config.video.sample_fps;
  options.max_frames = config.video.max_frames;
  options.min_frames = 1;
  options.start_s = item.start_s;
  options.end_s = item.end_s;
  const media::SampledFrames frames = media::plan_frames(info.index, info.video, options);
  if (!info.index.warning.empty()) logger().warn("{}", info.index.warning);
  FrameMeter meter(config.video);
  {
    media::SampledReader reader(medium, info.index, frames, limits);
    while (const std::optional<media::Frame> frame = reader.next()) meter.add(*frame, reader.sampled().pts_s);
    if (!reader.warning().empty()) logger().warn("{}", reader.warning());
  }
  const VideoMeasures measures =
      meter.finish(std::min(info.duration_s, item.end_s.value_or(info.duration_s)));
  row->scores["duration_s"] = info.duration_s;
  row->scores["cuts"] = static_cast<double>(measures.cuts);
  row->scores["static_share"] = measures.static_share;
  row->scores["motion"] = measures.motion;
  row->scores["clip_motion"] = measures.clip_motion;
  row->clip_start_s = measures.clip_start_s;
  row->clip_end_s = measures.clip_end_s;

  const double middle = measures.clip_end_s > 0 ? (measures.clip_start_s + measures.clip_end_s) / 2 : 0;
  const auto nearest = std::min_element(frames.begin(), frames.end(), [middle](const auto& a, const auto& b) {
    return std::abs(a.pts_s - middle) < std::abs(b.pts_s - middle);
  });
  media::SampledReader reader(medium, info.index, {*nearest}, limits);
  std::optional<media::Frame> frame = reader.next();
  if (!frame) throw Error(ErrorCode::kCorrupt, "no frame could be decoded");
  return std::move(*frame);
}

const char* reason_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kResourceExhausted:
      return "too_large";
    case ErrorCode::kUnsupported:
      return "not_media";
    case ErrorCode::kNotFound:
      return "missing";
    default:
      return "corrupt";
  }
}

// The medium in memory, or its path; nothing where it is refused.
std::optional<media::MediaData> open_medium(const Item& item, const media::MediaLimits& limits,
                                            LargeOneByOne* large, ScoreRow* row) {
  media::MediaData medium;
  medium.name = printable(item.media);
  if (item.bytes == nullptr) {
    const ResolvedMedia found = resolve_media(item.root, item.media);
    if (!found.reason.empty()) {
      refuse(row, found.reason, found.detail);
      return std::nullopt;
    }
    medium.path = found.path;
    row->media = item.prefix + item.media;
    std::error_code error;
    const auto bytes = std::filesystem::file_size(medium.path, error);
    VL3_CHECK(!error, kNotFound, "{}: {}", medium.name, error.message());
    row->scores["bytes"] = static_cast<double>(bytes);
    return medium;
  }
  row->scores["bytes"] = static_cast<double>(item.bytes.size());
  try {
    if (item.bytes.size() > limits.max_bytes) {  // a video may be as large; GIFs are both
      const media::StillFormat still = media::sniff_still(*item.bytes.load(kHeadBytes));
      VL3_CHECK(still == media::StillFormat::kNone || still == media::StillFormat::kGif, kResourceExhausted,
                "{}: {} bytes, the limit is {}", medium.name, item.bytes.size(), limits.max_bytes);
    }
    large->hold(item.bytes.size());
    medium.bytes = item.bytes.load();
  } catch (const data::BadSample& error) {
    refuse(row, "broken_tar_sample", error.what());
    return std::nullopt;
  }
  return medium;
}

void look(const Item& item, const CurateConfig& config, Judged* judged) {
  ScoreRow& row = judged->row;
  const media::MediaLimits limits = limits_of(config.validity);
  LargeOneByOne large;
  std::optional<media::MediaData> medium = open_medium(item, limits, &large, &row);
  if (!medium) return;
  const bool video = media::sniff_media(*medium, limits) == media::MediaKind::kVideo;
  row.kind = video ? "video" : "image";
  if (video) {
    row.content = content_of(*medium, true, item);
    judged->picture = judge_video(*medium, item, config, limits, &row);
  } else {
    // In memory once, so that the header, the pixels and the digest are of the same bytes.
    medium->bytes = media::read_media(*medium, limits);
    row.content = content_of(*medium, false, item);
    const media::ImageSize size = media::read_image_size(*medium, Flow::kNative, limits);
    large.hold(3 * static_cast<uint64_t>(size.height) * static_cast<uint64_t>(size.width));
    judged->picture = media::read_image(*medium, Flow::kNative, limits);
    judge_size(judged->picture.height, judged->picture.width, &row);
  }
  judge_picture(judged->picture, &row);
}

}  // namespace

Judged judge_item(const Item& item, const CurateConfig& config) {
  Judged judged;
  ScoreRow& row = judged.row;
  row.position = item.position;
  row.where = item.where;
  row.id = item.id;
  row.media = item.media;
  row.caption = item.caption;
  row.reason = item.reason;
  row.detail = item.detail;
  if (item.source.is_object()) row.source = item.source.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (!row.reason.empty()) return judged;
  try {
    judge_caption(&row);
    look(item, config, &judged);
  } catch (const Error& error) {
    refuse(&row, reason_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    refuse(&row, "too_large", "out of memory");
  } catch (const std::exception& error) {
    refuse(&row, "corrupt", error.what());
  }
  if (!row.reason.empty()) judged.picture = {};
  return judged;
}

}  // namespace vl3::curate
