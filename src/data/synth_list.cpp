#include "data/synth_list.h"

#include "core/check.h"
#include "core/hash.h"
#include "synth/fonts.h"
#include "synth/generator.h"
#include "synth/writer.h"

namespace vl3::data {
namespace {

using preprocess::Pictures;

/// The sample's pictures under the names that its annotation uses.
std::vector<std::string> carry(const synth::Sample& sample, RecordContent& content) {
  std::vector<std::string> names;
  const auto put = [&](Pictures pictures) {
    names.push_back(fmt::format("picture-{}", names.size()));
    content.media[names.back()] = std::make_shared<const Pictures>(std::move(pictures));
  };
  switch (sample.type) {
    case synth::MediaType::kText:
      break;
    case synth::MediaType::kImage:
    case synth::MediaType::kImages:
      for (const media::Frame& frame : sample.frames) put({{frame}, {}});
      break;
    case synth::MediaType::kVideo:
    case synth::MediaType::kStream: {
      Pictures clip{sample.frames, {}};
      for (const media::Frame& frame : sample.frames) clip.timestamps.push_back(frame.pts_s);
      put(std::move(clip));
      break;
    }
  }
  return names;
}

RecordContent content_of(const synth::Sample& sample) {
  RecordContent content;
  content.format = RecordFormat::kOfficial;
  content.carried_only = true;
  for (const synth::Question& question : synth::conversation_of(sample))
    content.answer_kinds.push_back(question.kind + "@" + question.level);
  const std::vector<std::string> names = carry(sample, content);
  content.json = synth::annotations_of(sample, names, /*single=*/false).front().dump();
  return content;
}

}  // namespace

SynthList::SynthList(const DataSource& source, int64_t list)
    : size_(source.synth_samples), list_(list), name_(source.synth) {
  const Json json = read_json_file(source.synth);
  generator_ = std::make_shared<const synth::Generator>(synth::options_from_json(json, source.synth));
  VL3_CHECK(size_ > 0, kInvalidArgument, "data source {}: synth_samples is {}; it must be above 0", list,
            size_);
  fingerprint_ = fmt::format("synth:{}:{:016x}:{}", size_,
                             fnv1a(synth::to_json(generator_->options()).dump()), synth::font_fingerprint());
}

Record SynthList::record(int64_t index) const {
  Record record;
  record.origin = {name_, index + 1, list_};
  record.load = [generator = generator_, index] {
    return content_of(generator->sample(static_cast<uint64_t>(index)));
  };
  return record;
}

int64_t SynthList::order(uint64_t /*seed*/, int64_t /*pass*/, int64_t k) const { return k; }

}  // namespace vl3::data
