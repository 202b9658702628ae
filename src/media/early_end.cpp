#include "media/early_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace vl3::media {
namespace {

// The table of samples comes first or is read as the fragments go by; it knows where each sample lies.
std::string missing_samples(AVStream& stream, int64_t size_bytes) {
  const int count = avformat_index_get_entries_count(&stream);
  int missing = 0;
  for (int i = 0; i < count; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    if (entry->pos + entry->size > size_bytes) ++missing;
  }
  // With none of them whole there is nothing to warn about: reading fails, and says so.
  if (missing == 0 || missing == count) return "";
  return fmt::format("{} of its {} frames lie beyond the end of the file", missing, count);
}

// Packets of 188 bytes, with 4 in front (BDAV) or 16 behind (error correction): each has its sync byte.
bool ends_in_packets(std::string_view tail) {
  struct Form {
    size_t stride, sync;
  };
  constexpr size_t kPackets = 5;
  for (const Form form : {Form{188, 0}, Form{192, 4}, Form{204, 0}}) {
    const size_t packets = std::min(kPackets, tail.size() / form.stride);
    size_t good = 0;
    while (good < packets && tail[tail.size() - (good + 1) * form.stride + form.sync] == 0x47) ++good;
    if (packets > 0 && good == packets) return true;
  }
  return false;
}

// Matroska keeps a stream's own length as a tag, "00:00:06.000000000"; 0 without it.
double tagged_duration(const AVStream& stream) {
  const AVDictionaryEntry* tag = av_dict_get(stream.metadata, "DURATION", nullptr, AV_DICT_IGNORE_SUFFIX);
  int hours = 0;
  int minutes = 0;
  double seconds = 0;
  if (tag == nullptr || std::sscanf(tag->value, "%d:%d:%lf", &hours, &minutes, &seconds) != 3) return 0;
  return hours * 3600.0 + minutes * 60.0 + seconds;
}

// Where the container says that the video ends; 0 when it does not, or only together with other streams.
double stated_end(const AVFormatContext& format, const AVStream& stream) {
  const std::string_view container = format.iformat->name;
  const bool said = format.duration_estimation_method == AVFMT_DURATION_FROM_STREAM && format.duration > 0;
  const double whole = said ? static_cast<double>(format.duration) / AV_TIME_BASE : 0;
  if (container.starts_with("matroska")) {
    const double tagged = tagged_duration(stream);
    if (tagged > 0) return whole > 0 ? std::min(tagged, whole) : tagged;
    return format.nb_streams == 1 ? whole : 0;
  }
  if (container == "avi" && stream.duration != AV_NOPTS_VALUE) {
    // The header counts frames; FFmpeg shortens the duration to what the file's size suggests, but not that
    // count.
    return static_cast<double>(std::max(stream.duration, stream.nb_frames)) * to_double(stream.time_base);
  }
  return container == "flv" && format.nb_streams == 1 ? whole : 0;
}

}  // namespace

std::string early_end(AVFormatContext& format, AVStream& stream, int64_t size_bytes, std::string_view tail,
                      double end_s, double tolerance_s) {
  const std::string_view container = format.iformat->name;
  if (container.starts_with("mov,")) return missing_samples(stream, size_bytes);
  if (container == "mpegts") {
    return ends_in_packets(tail) ? "" : "its last bytes are no whole packets of a transport stream";
  }
  const double stated = stated_end(format, stream);
  return stated > end_s + tolerance_s ? fmt::format("its container says {:.1f} s", stated) : "";
}

}  // namespace vl3::media
