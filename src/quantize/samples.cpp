#include "quantize/samples.h"

#include "core/check.h"
#include "synth/generator.h"

namespace vl3::quantize {
namespace {

constexpr uint64_t kSeed = 20250127;
constexpr int kMaxSide = 224;          // 256 patches a picture: a sample is some hundred tokens
constexpr size_t kMaxClipFrames = 12;  // the first ones

Sample sample_of(const synth::Sample& made) {
  Sample sample{.id = made.id, .question = {}, .answer = made.questions.front().answer, .pictures = {}};
  Message turn{.role = Role::kUser, .parts = {}};
  const auto show = [&](PartKind kind, preprocess::Pictures pictures) {
    ContentPart part;
    part.kind = kind;
    part.media = fmt::format("{}-{}", made.id, sample.pictures.size());
    sample.pictures.emplace(part.media, std::make_shared<const preprocess::Pictures>(std::move(pictures)));
    turn.parts.push_back(std::move(part));
  };
  if (made.type == synth::MediaType::kVideo) {
    preprocess::Pictures clip;
    for (const media::Frame& frame : made.frames) {
      if (clip.frames.size() == kMaxClipFrames) break;
      clip.frames.push_back(frame);
      clip.timestamps.push_back(frame.pts_s);
    }
    show(PartKind::kVideo, std::move(clip));
  } else {
    for (const media::Frame& frame : made.frames) show(PartKind::kImage, {{frame}, {}});
  }
  turn.parts.push_back(text_part(made.questions.front().text));
  sample.question.push_back(std::move(turn));
  return sample;
}

}  // namespace

std::vector<Sample> generate_samples(int64_t count, synth::Split split, bool with_media) {
  synth::SynthOptions options;
  options.seed = kSeed;
  options.split = split;
  options.max_side = kMaxSide;
  // One generator a family, so that a few samples already hold all of them.
  std::vector<synth::Generator> generators;
  for (const synth::Family& family : synth::families()) {
    options.mixture = {{.kind = std::string(family.name), .levels = {}}};
    generators.emplace_back(options);
  }
  std::vector<Sample> samples;
  for (uint64_t i = 0; static_cast<int64_t>(samples.size()) < count; ++i) {
    VL3_CHECK(i < static_cast<uint64_t>(count + 8) * 64, kInternal, "no samples of this kind are generated");
    const synth::Sample made = generators[i % generators.size()].sample(i / generators.size());
    if (made.type == synth::MediaType::kStream || made.questions.empty()) continue;
    if (made.type != synth::MediaType::kText && !with_media) continue;
    samples.push_back(sample_of(made));
  }
  return samples;
}

engine::Request request_of(const engine::Runtime& runtime, const Sample& sample, bool answered) {
  engine::RequestOptions options;
  options.add_generation_prompt = !answered;
  options.opener = [&sample](const std::string& reference) -> preprocess::MediaContent {
    return sample.pictures.at(reference);
  };
  text::Conversation conversation = sample.question;
  if (answered) conversation.push_back({.role = Role::kAssistant, .parts = {text_part(sample.answer)}});
  return engine::prepare_request(runtime, std::move(conversation), options);
}

}  // namespace vl3::quantize
