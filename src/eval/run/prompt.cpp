#include "eval/run/prompt.h"

#include "core/check.h"
#include "eval/data/subtitles.h"

namespace vl3::eval {
namespace {

/// The video's frames with the subtitles between them, then the rest of the prompt.
std::vector<PromptPart> interleaved(const Item& item, const FrameTimes& times) {
  const SubtitleSource& source = item.subtitles;
  const auto events = read_subtitle_json(source.file, source.offset_s, source.duration_s);
  std::vector<PromptPart> parts;
  for (const Piece& piece : item.prompt) {
    if (piece.medium < 0) {
      parts.push_back({piece.text});
      continue;
    }
    const auto& video = item.media[static_cast<size_t>(piece.medium)];
    for (const SubtitlePart& part : interleave_subtitles(events, times(video))) {
      if (part.frames == 0)
        parts.push_back({part.text});
      else
        parts.push_back({"", piece.medium, part.first_frame, part.frames});
    }
  }
  return parts;
}

}  // namespace

std::vector<PromptPart> prompt_parts(const Item& item, const FrameTimes& times) {
  if (item.subtitles.kind == SubtitleSource::kInterleaved) return interleaved(item, times);
  std::vector<PromptPart> parts;
  for (const Piece& piece : item.prompt) parts.push_back({piece.text, piece.medium});
  if (item.subtitles.kind == SubtitleSource::kListed) {
    VL3_DCHECK(parts.back().medium < 0 && item.media.size() == 1);
    // Without a file the heading stays, as in the reference.
    std::error_code error;
    const auto events = std::filesystem::exists(item.subtitles.file, error) ? read_srt(item.subtitles.file)
                                                                            : std::vector<SubtitleEvent>();
    parts.back().text = "This video's subtitles are listed below:\n" +
                        listed_subtitles(events, times(item.media[0])) + "\n" + parts.back().text;
  }
  return parts;
}

}  // namespace vl3::eval
