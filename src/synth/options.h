// Everything that decides what is generated, as plain structs and as JSON with the same names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "synth/vocabulary.h"

namespace vl3::synth {

/// A kind of question, how often it leads a sample and at which levels of its curriculum.
struct MixtureEntry {
  std::string kind;                 ///< "scene.colour"; "scene" or "scene.*": every kind of the family; "all"
  std::vector<std::string> levels;  ///< names of the family's levels; empty: all the kind has, alike
  double weight = 1.0;
  /// Drawn for the samples from index `from` up to `to` (exclusive; 0: without end): a curriculum.
  uint64_t from = 0, to = 0;
};

/// What the frames go through after drawing.
enum class Codec {
  kRaw,   ///< nothing: static patches stay bit-identical
  kJpeg,  ///< libjpeg at a random quality (clips: every frame alone)
  kDct,   ///< 8 x 8 DCT quantisation that differs a little from frame to frame: a cheap stand-in for H.264
  kH264   ///< x264 and back through FFmpeg (clips only; images get kJpeg)
};
std::string_view name_of(Codec codec);

/// How a reader would choose frames from the clip's file.
enum class ClipSampler {
  kAll,     ///< every frame that is drawn
  kNative,  ///< as transformers' rule takes them from a file of render_fps (default: varied, 2 … 30) at fps a
            ///< second
  kRemote  ///< as the official code takes them
};
std::string_view name_of(ClipSampler sampler);

struct SynthOptions {
  uint64_t seed = 0;
  Split split = Split::kTrain;
  std::vector<MixtureEntry> mixture;  ///< empty: every kind at every level
  int questions_per_medium = 5;       ///< at most; the first is of the kind that was drawn

  // Pictures.
  int min_side = 56, max_side = 448;  ///< pixels; levels choose inside of these
  int background_level = 4;  ///< 0 white, 1 plain, 2 and gradients, 3 and textures, 4 and photo-like blobs
  std::optional<int> min_glyph, max_glyph;  ///< font size in pixels; default: as the level says
  std::optional<double> sensor_noise;       ///< deviation in grey levels; default: varied, 0 … 6
  std::optional<Codec> image_codec;         ///< default: varied; kH264 is for clips only

  // Clips.
  std::optional<Codec> codec;  ///< default: varied
  double fps = 1;              ///< of the schedule: events fall on multiples of 1/fps seconds
  /// Frames a second that are drawn; default fps. A file of 8 a second holds what its reader sees at 1 a
  /// second, and more. Clips that would have more than 300 frames are drawn at fps.
  std::optional<double> render_fps;
  /// Which frames of a clip are kept, and what their times are.
  ClipSampler sampler = ClipSampler::kAll;
  double static_share = 1;  ///< of the picture's area whose background stands still
  double camera_pan = 0;    ///< pixels a second

  // Answers.
  int detail_level = 2;  ///< of "Describe the image.": 0 a phrase, 1 a sentence, 2 with places and background
  double caption_noise = 0;  ///< share of captions with one wrong attribute
  double answer_noise = 0;   ///< share of other answers exchanged for a wrong one
};

/// @throws Error(kInvalidArgument) for a value out of range, naming it, and for unknown kinds or levels.
void check(const SynthOptions& options);

/// Keys as the fields; a mixture is [{"kind": …, "levels": […], "weight": …}, …].
/// @throws Error(kInvalidArgument) for unknown keys, Error(kCorrupt) for values of the wrong type.
SynthOptions options_from_json(const Json& json, const std::string& where);
OrderedJson to_json(const SynthOptions& options);

/// @throws Error(kInvalidArgument)
Split split_of(const std::string& name);

}  // namespace vl3::synth
