#include "synth/clip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "media/frame_sampler.h"
#include "synth/artefacts.h"

namespace vl3::synth {
namespace {

bool visible_at(const Actor& actor, double time_s) {
  return std::any_of(actor.visible.begin(), actor.visible.end(), [&](const Span& span) {
    return time_s >= span.from_s - 1e-6 && time_s < span.to_s - 1e-6;
  });
}

ShapeLook look_at(const Actor& actor, double time_s) {
  ShapeLook look = actor.look;
  if (actor.move.to_s > actor.move.from_s) {
    const double part =
        std::clamp((time_s - actor.move.from_s) / (actor.move.to_s - actor.move.from_s), 0.0, 1.0);
    look.centre_x += actor.move_x * part;
    look.centre_y += actor.move_y * part;
  }
  if (actor.turns && time_s >= actor.turn_s - 1e-6) look.colour = actor.turned;
  return look;
}

// Grain that is new in every frame, on the part of the picture that is not to stand still.
void animate(Canvas& canvas, Rng& rng, const std::vector<uint8_t>& live, int block) {
  const int columns = (canvas.width() + block - 1) / block;
  for (int y = 0; y < canvas.height(); ++y) {
    for (int x = 0; x < canvas.width(); ++x) {
      if (live[static_cast<size_t>(y / block * columns + x / block)] == 0) continue;
      const int by = rng.between(-18, 18);
      uint32_t& pixel = canvas.at(x, y);
      const auto f = [&](int at) {
        return static_cast<uint32_t>(std::clamp(static_cast<int>(pixel >> at & 255) + by, 0, 255)) << at;
      };
      pixel = f(16) | f(8) | f(0);
    }
  }
}

// The picture seen through a camera that has turned `shift` pixels to the right; the edge repeats.
void pan(Canvas& canvas, const Canvas& from, int shift) {
  for (int y = 0; y < canvas.height(); ++y) {
    const uint32_t* row = from.pixels() + static_cast<ptrdiff_t>(y) * from.width();
    for (int x = 0; x < canvas.width(); ++x)
      canvas.at(x, y) = row[std::clamp(x + shift, 0, from.width() - 1)];
  }
}

// When the frames are drawn, and the times that go with them.
struct FrameTime {
  double drawn_s = 0, said_s = 0;
};

std::vector<FrameTime> frame_times(Rng& rng, const SynthOptions& options, const Clip& clip, double& rate) {
  // Long clips are drawn at their schedule's own rate: thousands of frames that stand still teach nobody.
  constexpr double most_frames = 300;
  const bool all = options.sampler == ClipSampler::kAll;
  rate = options.render_fps.value_or(all ? clip.fps : clip.fps * rng.pick({2, 4, 8, 10, 24, 25, 30}));
  if (all && clip.duration_s() * rate > most_frames) rate = clip.fps;
  const int frames = std::max(1, static_cast<int>(std::lround(clip.duration_s() * rate)));
  std::vector<FrameTime> times;
  if (all) {
    for (int i = 0; i < frames; ++i) times.push_back({i / rate, i / rate});
    return times;
  }
  // The file as the reader's own rule would see it.
  media::FrameIndex index;
  index.time_base = av_inv_q(av_d2q(rate, 1001000));
  index.last_duration = 1;
  for (int i = 0; i < frames; ++i) index.pts.push_back(i);
  index.keyframe.assign(index.pts.size(), 1);
  media::VideoInfo info;
  info.duration_s = clip.duration_s();
  info.avg_fps = rate;
  info.frames = frames;
  info.container = "mov,mp4,m4a,3gp,3g2,mj2";
  media::SampleOptions sampling;
  sampling.flow = options.sampler == ClipSampler::kNative ? Flow::kNative : Flow::kRemote;
  sampling.fps = clip.fps;
  for (const media::SampledFrame& frame : media::plan_frames(index, info, sampling))
    times.push_back({frame.pts_s, frame.timestamp_s});
  rate = clip.fps;
  return times;
}

}  // namespace

std::string span_text(double from_s, double to_s) { return fmt::format("{:.1f}-{:.1f} s", from_s, to_s); }

void render_clip(Rng& rng, const SynthOptions& options, const Clip& clip, const Canvas& backdrop,
                 const Background& background, Sample& sample) {
  double rate = 0;
  const std::vector<FrameTime> times = frame_times(rng, options, clip, rate);
  constexpr int block = 16;
  std::vector<uint8_t> live;
  if (options.static_share < 1) {
    live.resize(
        static_cast<size_t>(((clip.width + block - 1) / block) * ((clip.height + block - 1) / block)));
    for (size_t i = 0; i < live.size(); ++i)
      live[i] =
          i < static_cast<size_t>(std::lround((1 - options.static_share) * static_cast<double>(live.size())));
    rng.shuffle(live);
  }
  // A camera that turns far would take the scene out of sight.
  const double pan_rate = std::min(options.camera_pan, 0.15 * clip.width / clip.duration_s());
  for (const auto& [time_s, said_s] : times) {
    Canvas canvas(backdrop);
    const int shift = static_cast<int>(std::lround(pan_rate * time_s));
    if (shift != 0) pan(canvas, backdrop, shift);
    if (!live.empty()) animate(canvas, rng, live, block);
    ImageFacts facts{clip.width, clip.height, background.name, {}};
    for (size_t a = 0; a < clip.actors.size(); ++a) {
      const Actor& actor = clip.actors[a];
      if (!visible_at(actor, time_s)) continue;
      Placed placed{actor.what, look_at(actor, time_s), {}};
      placed.look.centre_x -= shift;
      placed.box = draw_shape(canvas, actor.what.shape, placed.look);
      if (actor.turns && time_s >= actor.turn_s - 1e-6) placed.what.colour = *actor.turns;
      facts.items.push_back(shape_item(placed, static_cast<int>(a)));
    }
    sample.frames.push_back(canvas.to_frame(said_s));
    sample.facts.images.push_back(std::move(facts));
  }
  sample.fps = rate;
  sample.facts.duration_s = clip.duration_s();
}

std::optional<Clip> make_clip(Rng& rng, const SynthOptions& options, Script script, int steps, int low_side,
                              int high_side, Sample& sample) {
  const PictureSize size = pick_size(rng, options, low_side, high_side, 1.8, rng.chance(0.5) ? 28 : 2);
  Clip clip;
  clip.width = size.width & ~1;  // H.264 wants even sides
  clip.height = size.height & ~1;
  clip.steps = steps;
  clip.fps = options.fps;
  Canvas backdrop(clip.width, clip.height);
  const Background background = paint_background(backdrop, rng, options.background_level);
  const double step_s = 1 / clip.fps, end_s = clip.duration_s();
  const auto at = [&](int step) { return step * step_s; };

  int count = 1;
  switch (script) {
    case Script::kMove:
      count = rng.between(1, steps <= 2 ? 2 : 3);
      break;
    case Script::kOrder:
    case Script::kSlides:
      count = rng.between(2, std::min(4, steps));
      break;
    case Script::kAppear:
    case Script::kVanish:
      count = rng.between(1, 3);
      break;
    case Script::kColour:
      count = rng.between(1, 2);
      break;
    case Script::kFlash:
      count = rng.between(1, 2);
      break;
    case Script::kNeedle:
      count = rng.between(1, 3);
      break;
  }
  // Objects of one clip differ in colour and in shape, so that either names them.
  std::optional<std::vector<ColouredShape>> what;
  for (int attempt = 0; attempt < 20 && !what; ++attempt) {
    what = pick_shapes(rng, options.split, count, true, background);
    if (!what) return std::nullopt;
    for (size_t i = 0; i < what->size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if ((*what)[i].colour == (*what)[j].colour || (*what)[i].shape == (*what)[j].shape) {
          what.reset();
          break;
        }
      }
      if (!what) break;
    }
  }
  if (!what) return std::nullopt;

  Direction direction = static_cast<Direction>(rng.below(kDirections));
  if (script == Script::kMove) {
    bool found = false;
    for (int attempt = 0; attempt < 30 && !found; ++attempt) {
      direction = static_cast<Direction>(rng.below(kDirections));
      const bool held = is_heldout((*what)[0].colour, direction);
      found = options.split == Split::kAll || held == (options.split == Split::kHeldout);
    }
    if (!found) return std::nullopt;
  }
  LayoutRules rules;
  rules.smallest = 0.18;
  rules.largest = script == Script::kMove ? 0.32 : 0.45;
  rules.variety = 0.7;
  const auto placed = place_shapes(rng, clip.width, clip.height, *what, rules);
  if (!placed) return std::nullopt;
  for (const Placed& shape : *placed) {
    Actor actor{shape.what, shape.look, {{0, end_s}}, 0, 0, {}, std::nullopt, {}, 0};
    const auto shade = shade_on(rng, shape.what.colour, background);
    if (!shade) return std::nullopt;
    set_shade(actor.look, *shade, background);
    clip.actors.push_back(std::move(actor));
  }

  std::vector<Event>& events = sample.facts.events;
  Actor& lead = clip.actors[0];
  switch (script) {
    case Script::kMove: {
      const bool sideways = direction == Direction::kLeft || direction == Direction::kRight;
      const double sign = direction == Direction::kLeft || direction == Direction::kUp ? -1 : 1;
      const double side = sideways ? clip.width : clip.height, half = lead.look.size / 2 + 1;
      const double way = rng.real(steps <= 2 ? 0.3 : 0.35, 0.75) * (side - 2 * half);
      const double start = rng.real(half, side - half - way);  // from its low end
      (sideways ? lead.look.centre_x : lead.look.centre_y) = sign > 0 ? start : start + way;
      (sideways ? lead.move_x : lead.move_y) = sign * way;
      // Long clips: a part of it moves; else from the first frame to the last.
      int first = 0, last = steps - 1;
      if (steps >= 5 && rng.chance(0.5)) {
        first = rng.below(steps - 3);
        last = rng.between(first + 2, steps - 1);
      }
      lead.move = {at(first), at(last)};
      for (size_t i = 1; i < clip.actors.size(); ++i) {  // nothing stands in the way
        const ShapeLook& other = clip.actors[i].look;
        const double across = sideways ? std::abs(other.centre_y - lead.look.centre_y)
                                       : std::abs(other.centre_x - lead.look.centre_x);
        if (across < (other.size + lead.look.size) / 2 + 2) return std::nullopt;
      }
      events.push_back({"move", 0, lead.move.from_s, lead.move.to_s, "", std::string(name_of(direction))});
      break;
    }
    case Script::kOrder: {
      std::vector<int> starts(static_cast<size_t>(steps));
      for (int i = 0; i < steps; ++i) starts[static_cast<size_t>(i)] = i;
      rng.shuffle(starts);
      starts.resize(static_cast<size_t>(count));
      std::sort(starts.begin(), starts.end());
      for (int i = 0; i < count; ++i) {
        clip.actors[static_cast<size_t>(i)].visible = {{at(starts[static_cast<size_t>(i)]), end_s}};
        events.push_back({"appear", i, at(starts[static_cast<size_t>(i)]), end_s, "", ""});
      }
      break;
    }
    case Script::kSlides: {  // one after another, each gone when the next comes
      std::vector<int> cuts;
      for (int i = 1; i < steps; ++i) cuts.push_back(i);
      rng.shuffle(cuts);
      cuts.resize(static_cast<size_t>(count - 1));
      cuts.push_back(0);
      cuts.push_back(steps);
      std::sort(cuts.begin(), cuts.end());
      for (int i = 0; i < count; ++i) {
        const double from = at(cuts[static_cast<size_t>(i)]), to = at(cuts[static_cast<size_t>(i) + 1]);
        clip.actors[static_cast<size_t>(i)].visible = {{from, to}};
        events.push_back({"appear", i, from, to, "", ""});
      }
      break;
    }
    case Script::kAppear:
    case Script::kNeedle: {
      const int longest = script == Script::kNeedle ? std::max(2, steps / 12) : steps - 1;
      const int first = rng.between(1, steps - 1);
      const bool stays = script == Script::kAppear && rng.chance(0.5);
      const int last =
          stays ? steps
                : std::min(steps, first + rng.between(script == Script::kNeedle ? std::min(2, longest) : 1,
                                                      longest));
      lead.visible = {{at(first), at(last)}};
      events.push_back({"appear", 0, at(first), at(last), "", ""});
      if (last < steps) events.push_back({"disappear", 0, at(last), end_s, "", ""});
      break;
    }
    case Script::kVanish: {
      const int last = rng.between(1, steps - 1);
      lead.visible = {{0, at(last)}};
      events.push_back({"disappear", 0, at(last), end_s, "", ""});
      break;
    }
    case Script::kColour: {
      for (int attempt = 0; attempt < 40 && !lead.turns; ++attempt) {
        const auto colour = static_cast<Colour>(rng.below(kColours));
        const bool other_has_it = clip.actors.size() > 1 && clip.actors[1].what.colour == colour;
        if (colour == lead.what.colour || other_has_it || !allowed({colour, lead.what.shape}, options.split))
          continue;
        const auto shade = shade_on(rng, colour, background);
        if (!shade || distance(*shade, lead.look.colour) < 130) continue;
        lead.turns = colour;
        lead.turned = *shade;
      }
      if (!lead.turns) return std::nullopt;
      lead.turn_s = at(rng.between(1, steps - 1));
      events.push_back({"colour", 0, lead.turn_s, lead.turn_s, std::string(name_of(lead.what.colour)),
                        std::string(name_of(*lead.turns))});
      break;
    }
    case Script::kFlash: {
      const int most = std::min(kMaxNumber, steps / 2), times = rng.between(1, std::max(1, most));
      // `times` visible steps, no two in a row, spread at random over the gaps between them.
      std::vector<int> pauses(static_cast<size_t>(times), 1);
      pauses[0] = rng.chance(0.5) && steps >= 2 * times ? 1 : 0;
      int left = steps - times;
      for (const int pause : pauses) left -= pause;
      while (left-- > 0) {
        const int where = rng.below(times + 1);
        if (where < times) ++pauses[static_cast<size_t>(where)];
      }
      lead.visible.clear();
      int step = 0;
      for (int i = 0; i < times; ++i) {
        step += pauses[static_cast<size_t>(i)];
        lead.visible.push_back({at(step), at(step + 1)});
        events.push_back({"flash", 0, at(step), at(step + 1), "", ""});
        ++step;
      }
      break;
    }
  }
  for (const Actor& actor : clip.actors) {
    sample.facts.objects.push_back({std::string(name_of(actor.what.shape)),
                                    std::string(name_of(actor.what.colour)), actor.visible.front().from_s,
                                    actor.visible.back().to_s});
  }
  render_clip(rng, options, clip, backdrop, background, sample);
  return clip;
}

}  // namespace vl3::synth
