// video.*, stream.*, long.*: short clips, narration as it happens, and long clips with one short event.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "synth/artefacts.h"
#include "synth/captions.h"
#include "synth/clip_questions.h"
#include "synth/family.h"
#include "synth/wording.h"

namespace vl3::synth {
namespace {

enum LevelIndex { kTwoFrames, kThree, kFive, kEight, kSixteen, kThirtyTwo };

// The scripts a kind can be asked about.
Script choose_script(Rng& rng, std::string_view kind, int steps) {
  using enum Script;
  if (kind == "direction" || kind == "moves") return kMove;
  if (kind == "first" || kind == "last" || kind == "after" || kind == "before")
    return rng.pick({kOrder, kSlides});
  if (kind == "appears") return kAppear;
  if (kind == "disappears") return kVanish;
  if (kind == "colour_from" || kind == "colour_to" || kind == "changes") return kColour;
  if (kind == "flashes") return kFlash;
  if (kind == "state") return rng.pick({kColour, kSlides, kOrder, kAppear, kVanish});
  if (kind == "when")
    return steps >= 5 && rng.chance(0.2) ? kMove : rng.pick({kOrder, kSlides, kAppear, kVanish, kColour});
  if (kind == "colour" || kind == "shape" || kind == "count")
    return rng.pick({kMove, kOrder, kSlides, kAppear, kVanish, kFlash});
  return rng.pick({kMove, kOrder, kSlides, kAppear, kVanish, kColour, kFlash});
}

int choose_steps(Rng& rng, int level) {
  switch (level) {
    case kTwoFrames:
      return 2;
    case kThree:
      return rng.between(2, 3);
    case kFive:
      return rng.between(3, 5);
    case kEight:
      return rng.between(4, 8);
    case kSixteen:
      return rng.between(9, 16);
    default:
      return rng.between(17, 32);
  }
}

bool make_video(Rng& rng, const Request& request, Sample& sample) {
  const int steps = choose_steps(rng, request.level);
  const Script script = choose_script(rng, request.kinds.front()->name, steps);
  const int high = request.level <= kFive ? 168 : request.level == kEight ? 196 : 140;
  if (!make_clip(rng, request.options, script, steps, 84, high, sample)) return false;
  degrade_clip(rng, request.options, sample.frames);
  const Scenario scenario{sample.facts, script, 1 / request.options.fps};
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) {
    return ask_about_clip(r, request.options, scenario, kind);
  });
}

bool make_stream(Rng& rng, const Request& request, Sample& sample) {
  const int steps = request.level == 0 ? rng.between(5, 8) : rng.between(9, 16);
  using enum Script;
  const Script script = rng.pick({kOrder, kSlides, kAppear, kVanish, kColour});
  if (!make_clip(rng, request.options, script, steps, 84, 168, sample)) return false;
  degrade_clip(rng, request.options, sample.frames);
  const std::string instruction =
      say(rng, {"Tell me what happens, as it happens.", "Describe what happens as soon as it happens.",
                "Comment on the video as it goes.", "Say something whenever something changes.",
                "Narrate the video."});
  const std::string kind(request.kinds.front()->name);
  for (const Event& event : sample.facts.events) {
    Facts one = sample.facts;
    one.events = {event};
    Question line;
    line.kind = kind;
    line.form = AnswerForm::kCaption;
    line.answer = clip_caption(one, 0);
    line.time_s = event.start_s;
    line.query = {{"time_s", fmt::format("{:.1f}", event.start_s)}};
    if (sample.questions.empty()) line.text = instruction;
    sample.questions.push_back(std::move(line));
  }
  return true;
}

bool make_long(Rng& rng, const Request& request, Sample& sample) {
  const int steps = request.level == 0   ? rng.between(30, 60)
                    : request.level == 1 ? rng.between(61, 180)
                                         : rng.between(181, 600);
  if (!make_clip(rng, request.options, Script::kNeedle, steps, 84, 126, sample)) return false;
  degrade_clip(rng, request.options, sample.frames);
  const Scenario s{sample.facts, Script::kNeedle, 1 / request.options.fps};
  return ask_all(rng, request, sample, [&](Rng& r, std::string_view kind) -> std::optional<Question> {
    if (kind == "needle") return ask_needle(r, s);
    return ask_about_clip(r, request.options, s, kind);
  });
}

}  // namespace

Family video_family() {
  using enum AnswerForm;
  return {"video",
          MediaType::kVideo,
          {{"f2", "2 frames"},
           {"f3", "2 or 3 frames"},
           {"f5", "3 to 5 frames"},
           {"f8", "4 to 8 frames"},
           {"f16", "9 to 16 frames"},
           {"f32", "17 to 32 frames"}},
          {{"direction", kExact, kTwoFrames, kThirtyTwo, "In which direction does the circle move?"},
           {"moves", kExact, kTwoFrames, kThirtyTwo, "What moves?"},
           {"first", kExact, kTwoFrames, kThirtyTwo, "What appears first?"},
           {"last", kExact, kTwoFrames, kThirtyTwo, "What appears last?"},
           {"after", kExact, kTwoFrames, kThirtyTwo, "What appears after the star?"},
           {"before", kExact, kTwoFrames, kThirtyTwo, "What appears before the star?"},
           {"appears", kExact, kTwoFrames, kThirtyTwo, "What appears?"},
           {"disappears", kExact, kTwoFrames, kThirtyTwo, "What disappears?"},
           {"colour_from", kExact, kTwoFrames, kThirtyTwo, "What colour is the circle at first?"},
           {"colour_to", kExact, kTwoFrames, kThirtyTwo, "What colour is the circle at the end?"},
           {"changes", kExact, kTwoFrames, kThirtyTwo, "What changes its colour?"},
           {"flashes", kExact, kThree, kThirtyTwo, "How many times does the circle flash?"},
           {"state", kExact, kTwoFrames, kThirtyTwo, "What colour is the circle at 2.0 s?"},
           {"when", kSpan, kThree, kThirtyTwo, "When is the circle visible?"},
           {"colour", kExact, kTwoFrames, kThirtyTwo, "What colour is the circle?"},
           {"shape", kExact, kTwoFrames, kThirtyTwo, "What shape is the red object?"},
           {"count", kExact, kTwoFrames, kThirtyTwo, "How many shapes are there in the video?"},
           {"caption", kCaption, kTwoFrames, kThirtyTwo, "Describe the video."}},
          make_video};
}

Family stream_family() {
  return {"stream",
          MediaType::kStream,
          {{"short", "5 to 8 frames"}, {"long", "9 to 16 frames"}},
          {{"narrate", AnswerForm::kCaption, 0, 1, "Tell me what happens, as it happens."}},
          make_stream};
}

Family long_family() {
  using enum AnswerForm;
  return {"long",
          MediaType::kVideo,
          {{"minute", "30 to 60 frames"}, {"three", "61 to 180 frames"}, {"ten", "181 to 600 frames"}},
          {{"needle", kExact, 0, 2, "What appears briefly?"},
           {"when", kSpan, 0, 2, "When is the circle visible?"},
           {"colour", kExact, 0, 2, "What colour is the circle?"},
           {"shape", kExact, 0, 2, "What shape is the red object?"}},
          make_long};
}

}  // namespace vl3::synth
