// Samples as files: pictures, clips, annotations in the official format (spec/data.md 1.1, 1.2) and facts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "synth/generator.h"

namespace vl3::synth {

enum class VideoFiles {
  kH264,  ///< mp4 by libx264
  kPng    ///< a folder of PNG frames, bit for bit what was drawn
};
/// @throws Error(kInvalidArgument)
VideoFiles video_files_of(const std::string& name);

struct WriteOptions {
  std::filesystem::path out;  ///< a new or empty folder
  uint64_t count = 100;       ///< samples
  VideoFiles video = VideoFiles::kH264;
  std::optional<double> file_fps = std::nullopt;  ///< of clips; default 4 for H.264, options.fps for PNG
  bool single = false;  ///< one annotation a question instead of a conversation of all
};

/// Called now and then: samples written, samples in all.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

/// Writes media/, annotations.jsonl, facts.jsonl and manifest.json (options, kinds, fonts). The folder
/// appears whole or not at all. In H.264 files the codec is the file's; frames are not degraded by another
/// one before.
/// @throws Error(kInvalidArgument) when `out` is filled, or its parent does not exist.
void write_dataset(const SynthOptions& options, const WriteOptions& write, const Progress& progress = {});

/// Writes one sample's media below `root` as `media/<stem>…` and gives their relative paths, in order.
std::vector<std::string> write_media(const Sample& sample, const std::filesystem::path& root,
                                     const std::string& stem, VideoFiles video);

/// The questions as one conversation asks them: the shortest answers first, so that hardly one can be read
/// off another that was given before. Narration keeps its order.
std::vector<Question> conversation_of(const Sample& sample);

/// The sample in the official format: a conversation, or (single) one a question.
std::vector<OrderedJson> annotations_of(const Sample& sample, const std::vector<std::string>& media,
                                        bool single);

/// What a writer of files asks of the generator: clips are drawn at file_fps, and left to the file's codec
/// where it has one of its own.
SynthOptions options_for_files(SynthOptions options, VideoFiles video, std::optional<double> file_fps);

OrderedJson manifest_of(const SynthOptions& options);

}  // namespace vl3::synth
