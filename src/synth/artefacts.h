// What cameras and codecs do to a drawn picture: sensor noise, softness, JPEG, H.264 and a cheap stand-in for
// it.
#pragma once

#include <vector>

#include "media/frame.h"
#include "synth/options.h"
#include "synth/rng.h"

namespace vl3::synth {

/// How much a medium may be damaged: small text takes less than large shapes.
enum class Frailty { kClean, kText, kRobust };

/// Each image alone, by options.image_codec and options.sensor_noise, or varied (about half stay as drawn).
void degrade_images(Rng& rng, const SynthOptions& options, Frailty frailty,
                    std::vector<media::Frame>& images);

/// The frames of a clip together. Varied: 45 % stay raw, so that static patches are bit-identical.
/// @return the codec that was used
Codec degrade_clip(Rng& rng, const SynthOptions& options, std::vector<media::Frame>& frames);

/// Normal noise of this deviation on every channel.
void add_sensor_noise(Rng& rng, double sigma, media::Frame& frame);
void jpeg_round_trip(int quality, media::Frame& frame);
/// 8 x 8 DCT quantisation of luma and half-size chroma; `step` about 4 (fine) to 40 (coarse).
void dct_round_trip(Rng& rng, double step, media::Frame& frame);

/// @param quality  1 … 100
std::string encode_jpeg(const media::Frame& frame, int quality);

}  // namespace vl3::synth
