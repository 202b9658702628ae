#include "synth/writer.h"

#include <algorithm>

#include "core/check.h"
#include "core/file.h"
#include "media/png_writer.h"
#include "synth/artefacts.h"
#include "synth/facts_json.h"
#include "synth/fonts.h"
#include "synth/video_encoder.h"
#include "weights/staged_folder.h"

namespace vl3::synth {
namespace {

namespace fs = std::filesystem;

OrderedJson turn(const char* from, std::string value) {
  return {{"from", from}, {"value", std::move(value)}};
}

std::string tags_of(const Sample& sample) {
  if (sample.type == MediaType::kText) return "";
  if (sample.type == MediaType::kVideo) return "<video>\n";
  std::string tags;
  for (size_t i = 0; i < sample.frames.size(); ++i) tags += "<image>\n";
  return tags;
}

void add_media(OrderedJson& annotation, const Sample& sample, const std::vector<std::string>& media) {
  if (sample.type == MediaType::kImage)
    annotation["image"] = media[0];
  else if (sample.type == MediaType::kImages)
    annotation["image"] = media;
  else if (sample.type != MediaType::kText)
    annotation["video"] = media;
}

void append_line(AtomicFile& file, const OrderedJson& json) {
  const std::string line = json.dump() + "\n";
  file.append(line.data(), line.size());
}

}  // namespace

VideoFiles video_files_of(const std::string& name) {
  if (name == "h264") return VideoFiles::kH264;
  if (name == "png") return VideoFiles::kPng;
  VL3_FAIL(kInvalidArgument, "--video-codec: \"{}\" is neither h264 nor png", name);
}

SynthOptions options_for_files(SynthOptions options, VideoFiles video, std::optional<double> file_fps) {
  const bool h264 = video == VideoFiles::kH264;
  VL3_CHECK(options.sampler == ClipSampler::kAll, kInvalidArgument,
            "sampler: \"{}\" is for samples in memory; a file's frames are chosen by its reader",
            name_of(options.sampler));
  const double rate = file_fps.value_or(h264 ? std::max(4.0, options.fps) : options.fps);
  VL3_CHECK(rate >= options.fps, kInvalidArgument, "file_fps: {} is below fps, {}", rate, options.fps);
  if (h264 && !options.codec) options.codec = Codec::kRaw;
  if (!options.render_fps) options.render_fps = rate;
  return options;
}

std::vector<std::string> write_media(const Sample& sample, const fs::path& root, const std::string& stem,
                                     VideoFiles video) {
  std::vector<std::string> names;
  // What the file adds is part of the sample: the same sample gives the same file.
  Rng rng(hash_text(sample.id, 0xf11e));
  const auto put = [&](const std::string& name, const std::string& bytes) {
    write_file_atomically(root / name, bytes);
  };
  if (sample.type == MediaType::kImage || sample.type == MediaType::kImages) {
    for (size_t i = 0; i < sample.frames.size(); ++i) {
      const bool jpeg = rng.chance(0.3);
      const int quality = rng.between(75, 95);
      names.push_back(fmt::format("media/{}{}.{}", stem,
                                  sample.frames.size() > 1 ? fmt::format("-{}", i + 1) : "",
                                  jpeg ? "jpg" : "png"));
      put(names.back(), jpeg ? encode_jpeg(sample.frames[i], quality) : media::encode_png(sample.frames[i]));
    }
  } else if (sample.type != MediaType::kText) {
    if (video == VideoFiles::kH264) {
      names.push_back(fmt::format("media/{}.mp4", stem));
      put(names[0], encode_h264_mp4(sample.frames, sample.fps, rng.between(18, 30)));
    } else {
      names.push_back(fmt::format("media/{}", stem));
      fs::create_directory(root / names[0]);
      for (size_t i = 0; i < sample.frames.size(); ++i)
        put(fmt::format("{}/{:05}.png", names[0], i), media::encode_png(sample.frames[i]));
    }
  }
  return names;
}

std::vector<Question> conversation_of(const Sample& sample) {
  std::vector<Question> questions = sample.questions;
  if (sample.type != MediaType::kStream)
    std::ranges::stable_sort(questions, {}, [](const Question& question) { return question.answer.size(); });
  return questions;
}

std::vector<OrderedJson> annotations_of(const Sample& sample, const std::vector<std::string>& media,
                                        bool single) {
  std::vector<OrderedJson> annotations;
  if (sample.type == MediaType::kStream) {
    OrderedJson annotation{{"id", sample.id}, {"stream", true}};
    add_media(annotation, sample, media);
    annotation["start_time"] = 0.0;
    annotation["end_time"] = sample.facts.duration_s;
    annotation["conversation"] = {
        {{"role", "user"}, {"content", sample.questions.front().text}, {"time", 0.0}}};
    for (const Question& line : sample.questions)
      annotation["conversation"].push_back(
          {{"role", "assistant"}, {"content", line.answer}, {"time", line.time_s}});
    return {annotation};
  }
  const std::string tags = tags_of(sample);
  const std::vector<Question> questions = single ? sample.questions : conversation_of(sample);
  for (size_t i = 0; i < questions.size(); ++i) {
    const Question& question = questions[i];
    if (i == 0 || single) {
      annotations.push_back({{"id", single ? fmt::format("{}-q{}", sample.id, i + 1) : sample.id}});
      add_media(annotations.back(), sample, media);
      annotations.back()["conversations"] = OrderedJson::array();
    }
    OrderedJson& turns = annotations.back()["conversations"];
    turns.push_back(turn("human", (turns.empty() ? tags : "") + question.text));
    turns.push_back(turn("gpt", question.answer));
  }
  return annotations;
}

OrderedJson manifest_of(const SynthOptions& options) {
  OrderedJson manifest{
      {"generator", "vl3 synth"}, {"options", to_json(options)}, {"fonts", font_fingerprint()}};
  for (size_t i = 0; i < fonts().size(); ++i) {
    if (!is_installed(static_cast<int>(i))) manifest["fonts_missing"].push_back(fonts()[i].file);
  }
  return manifest;
}

void write_dataset(const SynthOptions& options, const WriteOptions& write, const Progress& progress) {
  const Generator generator(options_for_files(options, write.video, write.file_fps));
  weights::StagedFolder folder(write.out);
  fs::create_directory(folder.path() / "media");
  AtomicFile annotations(folder.path() / "annotations.jsonl"), facts(folder.path() / "facts.jsonl");
  for (uint64_t i = 0; i < write.count; ++i) {
    const Sample sample = generator.sample(i);
    const std::vector<std::string> media =
        write_media(sample, folder.path(), fmt::format("{:07}", i), write.video);
    for (const OrderedJson& annotation : annotations_of(sample, media, write.single))
      append_line(annotations, annotation);
    OrderedJson line{{"id", sample.id},
                     {"media_type", name_of(sample.type)},
                     {"media", media},
                     {"fps", sample.fps},
                     {"questions", OrderedJson::array()}};
    for (const Question& question : sample.questions) line["questions"].push_back(to_json(question));
    line["facts"] = to_json(sample.facts);
    append_line(facts, line);
    if (progress) progress(i + 1, write.count);
  }
  annotations.commit();
  facts.commit();
  write_file_atomically(folder.path() / "manifest.json", manifest_of(generator.options()).dump(2) + "\n");
  folder.commit();
}

}  // namespace vl3::synth
