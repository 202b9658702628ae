#include "synth/options.h"

#include <cmath>
#include <set>

#include "core/check.h"
#include "synth/generator.h"

namespace vl3::synth {
namespace {

constexpr std::string_view kCodecNames[] = {"raw", "jpeg", "dct", "h264"};
constexpr std::string_view kSamplerNames[] = {"all", "native", "remote"};

ClipSampler sampler_of(const std::string& name) {
  for (int i = 0; i < 3; ++i) {
    if (name == kSamplerNames[i]) return static_cast<ClipSampler>(i);
  }
  VL3_FAIL(kInvalidArgument, "sampler: \"{}\" is none of {}", name, fmt::join(kSamplerNames, ", "));
}

Codec codec_of(const std::string& name) {
  for (int i = 0; i < 4; ++i) {
    if (name == kCodecNames[i]) return static_cast<Codec>(i);
  }
  VL3_FAIL(kInvalidArgument, "codec: \"{}\" is none of {}", name, fmt::join(kCodecNames, ", "));
}

void in_range(const char* name, double value, double low, double high) {
  VL3_CHECK(std::isfinite(value) && value >= low && value <= high, kInvalidArgument,
            "{}: {} is not from {} to {}", name, value, low, high);
}

}  // namespace

std::string_view name_of(Codec codec) { return kCodecNames[static_cast<size_t>(codec)]; }
std::string_view name_of(ClipSampler sampler) { return kSamplerNames[static_cast<size_t>(sampler)]; }

Split split_of(const std::string& name) {
  for (const Split split : {Split::kTrain, Split::kHeldout, Split::kAll}) {
    if (name == name_of(split)) return split;
  }
  VL3_FAIL(kInvalidArgument, "split: \"{}\" is none of train, heldout, all", name);
}

void check(const SynthOptions& o) {
  in_range("questions_per_medium", o.questions_per_medium, 1, 32);
  in_range("min_side", o.min_side, 28, 4096);
  in_range("max_side", o.max_side, 112, 4096);
  VL3_CHECK(o.min_side <= o.max_side, kInvalidArgument, "min_side: {} is above max_side, {}", o.min_side,
            o.max_side);
  in_range("background_level", o.background_level, 0, 4);
  if (o.min_glyph) in_range("min_glyph", *o.min_glyph, 6, 200);
  if (o.max_glyph) in_range("max_glyph", *o.max_glyph, o.min_glyph.value_or(6), 200);
  if (o.sensor_noise) in_range("sensor_noise", *o.sensor_noise, 0, 64);
  VL3_CHECK(o.image_codec != Codec::kH264, kInvalidArgument, "image_codec: \"h264\" is for clips");
  in_range("fps", o.fps, 0.1, 60);
  if (o.render_fps) in_range("render_fps", *o.render_fps, o.fps, 60);
  in_range("static_share", o.static_share, 0, 1);
  in_range("camera_pan", o.camera_pan, 0, 1000);
  in_range("detail_level", o.detail_level, 0, 2);
  in_range("caption_noise", o.caption_noise, 0, 1);
  in_range("answer_noise", o.answer_noise, 0, 1);
  for (const MixtureEntry& entry : o.mixture) {
    in_range("mixture: weight", entry.weight, 0, 1e9);
    VL3_CHECK(entry.to == 0 || entry.to > entry.from, kInvalidArgument,
              "mixture: {}: to: {} is not above from, {}", entry.kind, entry.to, entry.from);
  }
  (void)expand_mixture(o.mixture);
}

SynthOptions options_from_json(const Json& json, const std::string& where) {
  const JsonView view(json, where);
  static const std::set<std::string> known{
      "seed",       "split",        "mixture",          "questions_per_medium",
      "min_side",   "max_side",     "background_level", "min_glyph",
      "max_glyph",  "sensor_noise", "image_codec",      "codec",
      "fps",        "render_fps",   "static_share",     "sampler",
      "camera_pan", "detail_level", "caption_noise",    "answer_noise"};
  for (const auto& [key, value] : json.items())
    VL3_CHECK(known.contains(key), kInvalidArgument, "{}: unknown key \"{}\"; known are {}", where, key,
              fmt::join(known, ", "));
  SynthOptions o;
  const auto integer = [&](const char* key, int& field) {
    field = static_cast<int>(view.integer_or(key, field, 0, 1'000'000));
  };
  if (view.has("seed")) {
    VL3_CHECK(view.at("seed").is_number_integer() &&
                  (view.at("seed").is_number_unsigned() || view.at("seed").get<int64_t>() >= 0),
              kCorrupt, "{}: seed: expected a whole number from 0, found {}", where, view.at("seed").dump());
    o.seed = view.at("seed").get<uint64_t>();
  }
  o.split = split_of(view.string_or("split", "train"));
  integer("questions_per_medium", o.questions_per_medium);
  integer("min_side", o.min_side);
  integer("max_side", o.max_side);
  integer("background_level", o.background_level);
  if (view.has("min_glyph")) o.min_glyph = static_cast<int>(view.integer("min_glyph", 0, 10'000));
  if (view.has("max_glyph")) o.max_glyph = static_cast<int>(view.integer("max_glyph", 0, 10'000));
  if (view.has("sensor_noise")) o.sensor_noise = view.number("sensor_noise");
  if (view.has("image_codec")) o.image_codec = codec_of(view.string("image_codec"));
  if (view.has("codec")) o.codec = codec_of(view.string("codec"));
  o.fps = view.number_or("fps", o.fps);
  if (view.has("render_fps")) o.render_fps = view.number("render_fps");
  o.sampler = sampler_of(view.string_or("sampler", "all"));
  o.static_share = view.number_or("static_share", o.static_share);
  o.camera_pan = view.number_or("camera_pan", o.camera_pan);
  integer("detail_level", o.detail_level);
  o.caption_noise = view.number_or("caption_noise", o.caption_noise);
  o.answer_noise = view.number_or("answer_noise", o.answer_noise);
  if (view.has("mixture")) {
    const Json& mixture = view.at("mixture");
    VL3_CHECK(mixture.is_array(), kCorrupt, "{}: mixture: expected a list", where);
    for (size_t i = 0; i < mixture.size(); ++i) {
      const JsonView entry(mixture[i], fmt::format("{}: mixture {}", where, i + 1));
      MixtureEntry read{entry.string("kind"), {}, entry.number_or("weight", 1.0)};
      for (const auto& [key, value] : mixture[i].items()) {
        VL3_CHECK(key == "kind" || key == "levels" || key == "weight" || key == "from" || key == "to",
                  kInvalidArgument, "{}: unknown key \"{}\"; known are kind, levels, weight, from, to",
                  entry.where(), key);
      }
      constexpr int64_t kMostSamples = 1'000'000'000'000;
      read.from = static_cast<uint64_t>(entry.integer_or("from", 0, 0, kMostSamples));
      read.to = static_cast<uint64_t>(entry.integer_or("to", 0, 0, kMostSamples));
      if (entry.has("levels")) {
        const Json& levels = entry.at("levels");
        VL3_CHECK(levels.is_array(), kCorrupt, "{}: levels: expected a list of names", entry.where());
        for (const Json& level : levels) {
          VL3_CHECK(level.is_string(), kCorrupt, "{}: levels: expected names, found {}", entry.where(),
                    level.dump());
          read.levels.push_back(level.get<std::string>());
        }
      }
      o.mixture.push_back(std::move(read));
    }
  }
  check(o);
  return o;
}

OrderedJson to_json(const SynthOptions& o) {
  OrderedJson json{
      {"seed", o.seed},         {"split", name_of(o.split)}, {"questions_per_medium", o.questions_per_medium},
      {"min_side", o.min_side}, {"max_side", o.max_side},    {"background_level", o.background_level}};
  if (o.min_glyph) json["min_glyph"] = *o.min_glyph;
  if (o.max_glyph) json["max_glyph"] = *o.max_glyph;
  if (o.sensor_noise) json["sensor_noise"] = *o.sensor_noise;
  if (o.image_codec) json["image_codec"] = name_of(*o.image_codec);
  if (o.codec) json["codec"] = name_of(*o.codec);
  json["fps"] = o.fps;
  if (o.render_fps) json["render_fps"] = *o.render_fps;
  json["sampler"] = name_of(o.sampler);
  json["static_share"] = o.static_share;
  json["camera_pan"] = o.camera_pan;
  json["detail_level"] = o.detail_level;
  json["caption_noise"] = o.caption_noise;
  json["answer_noise"] = o.answer_noise;
  json["mixture"] = OrderedJson::array();
  for (const MixtureEntry& entry : o.mixture) {
    json["mixture"].push_back({{"kind", entry.kind}, {"levels", entry.levels}, {"weight", entry.weight}});
    if (entry.from != 0) json["mixture"].back()["from"] = entry.from;
    if (entry.to != 0) json["mixture"].back()["to"] = entry.to;
  }
  return json;
}

}  // namespace vl3::synth
