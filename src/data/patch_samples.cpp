#include "data/patch_samples.h"

#include <algorithm>

#include "core/check.h"
#include "core/json.h"
#include "data/patch_labels.h"
#include "data/random.h"
#include "preprocess/patchify.h"
#include "preprocess/target_size.h"
#include "synth/generator.h"

namespace vl3::data {
namespace {

constexpr uint64_t kEmptyEvery = 6;

Sample build_sample(const synth::Sample& drawn, const weights::PreprocessConfig& config, uint64_t seed) {
  const media::Frame& frame = drawn.frames.front();
  const preprocess::Size from{frame.height, frame.width};
  const preprocess::MediaShape shape{preprocess::MediaKind::kImage, from, 1};
  const preprocess::Size size = preprocess::target_sizes({&shape, 1}, config).front();
  preprocess::PatchBatch batch = preprocess::make_patch_batch(size, config.patch_size, /*merge=*/1);
  preprocess::append_frame(batch, frame.rgb, from);

  Sample sample;
  sample.id = drawn.id;
  sample.labels = patch_labels(drawn.facts.images.front(), batch.grid);
  for (size_t i = 0; i < sample.labels.size(); i += kPatchTasks) {
    const bool empty = sample.labels[i] == 0;
    if (empty && mix({seed, i}) % kEmptyEvery != 0) sample.labels[i] = kIgnoreIndex;
  }
  sample.labelled_tokens =
      static_cast<int64_t>(sample.labels.size()) - std::ranges::count(sample.labels, kIgnoreIndex);
  sample.input_ids.assign(sample.labels.size(), 0);
  sample.tokens_before_cut = static_cast<int64_t>(sample.input_ids.size());
  VisualMedium& medium = sample.media.emplace_back();
  medium.grid = batch.grid;
  medium.merge = 1;
  medium.keep.assign(static_cast<size_t>(batch.grid.h * batch.grid.w), 0);
  medium.patches_u8 = std::move(batch.patches_u8);
  return sample;
}

}  // namespace

SampleFunctions patch_sample_functions(const DataConfig& data, const weights::PreprocessConfig& config) {
  auto generators = std::make_shared<std::vector<synth::Generator>>();
  for (const DataSource& source : data.sources) {
    VL3_CHECK(
        !source.synth.empty(), kInvalidArgument,
        "objective \"patch_labels\" knows what is in generated pictures only: give each of data.sources a "
        "synth file");
    generators->emplace_back(synth::options_from_json(read_json_file(source.synth), source.synth));
    for (const synth::Generator::Draw& draw : generators->back().draws())
      VL3_CHECK(
          draw.family->type == synth::MediaType::kImage, kInvalidArgument,
          "{}: objective \"patch_labels\" takes single images, not {}; choose scene, ocr, document or chart",
          source.synth, draw.family->name);
  }
  SampleFunctions functions;
  functions.build = [generators, config](const Record& record, const std::atomic<bool>&) {
    const synth::Generator& generator = (*generators)[static_cast<size_t>(record.origin.list)];
    return build_sample(generator.sample(static_cast<uint64_t>(record.origin.line - 1)), config, record.seed);
  };
  functions.estimate = [](const Record&) { return int64_t{1}; };  // shared out over processes by number
  return functions;
}

}  // namespace vl3::data
