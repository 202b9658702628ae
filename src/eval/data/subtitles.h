// Subtitle files, and the subtitles that a set of frames brings into the prompt. Stateless.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::eval {

struct SubtitleEvent {
  double start_s = 0, end_s = 0;
  std::string text;
};

/// SubRip as the library pysubs2 reads it: text behind a line with two times, up to the next such line; its
/// lines joined by "\N"; <i> <b> <u> <s> as {\i1} … {\i0}, other tags dropped.
/// @throws Error(kCorrupt) for text that is not UTF-8.
std::vector<SubtitleEvent> parse_srt(std::string_view text, const std::string& where);
std::vector<SubtitleEvent> read_srt(const std::filesystem::path& path);

/// videomme's list: a line for each frame that lies strictly inside an event (the first such event in file
/// order), "\N" as a space; "" where no frame does.
std::string listed_subtitles(const std::vector<SubtitleEvent>& events,
                             const std::vector<double>& frame_times);

/// longvideobench's file: a list of {timestamp: [start, end], text} or {start: "h:m:s", end, line}.
/// @param offset_s  subtracted from the times
/// @param duration_s  taken as the end (before that) where the file has no JSON number with a fraction
/// @throws Error(kCorrupt) for other content, Error(kNotFound)
std::vector<SubtitleEvent> read_subtitle_json(const std::filesystem::path& path, double offset_s,
                                              double duration_s);

/// A run of frames, or a text between runs.
struct SubtitlePart {
  size_t first_frame = 0, frames = 0;  ///< frames 0: a text
  std::string text;
};

/// longvideobench's order: every frame once, each subtitle that some frame lies strictly inside of behind the
/// frames up to its middle. Intervals below a second count as one second around their middle.
std::vector<SubtitlePart> interleave_subtitles(const std::vector<SubtitleEvent>& events,
                                               const std::vector<double>& frame_times);

}  // namespace vl3::eval
