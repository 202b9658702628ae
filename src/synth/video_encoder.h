// Frames to an H.264 file in memory (libx264 through FFmpeg), and back through media/'s own decoder.
// Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "media/frame.h"

namespace vl3::synth {

/// An mp4 with one video stream, yuv420p, BT.601, no B-frames; the same frames give the same bytes.
/// @param frames  all of one size; an odd row or column at the edge is left out (H.264 wants even sides)
/// @param fps     frames a second; times in the file are multiples of 1/fps
/// @param crf     x264's quality: 0 lossless … 51; about 23 is what people use
/// @throws Error(kUnsupported) where the installed FFmpeg has no libx264; Error(kInvalidArgument) without
/// frames.
std::string encode_h264_mp4(const std::vector<media::Frame>& frames, double fps, int crf);

/// Encodes and decodes; sizes and times stay.
void h264_round_trip(std::vector<media::Frame>& frames, double fps, int crf);

}  // namespace vl3::synth
