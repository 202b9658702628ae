#include "train/random_model.h"

#include <random>

#include "weights/hf_names.h"
#include "weights/model_folder.h"
#include "weights/random_init.h"

namespace vl3::test {
namespace {

constexpr int64_t kVocab = 90, kImageToken = 80, kPatchValues = 588;

weights::ModelConfig config_of(bool tied) {
  weights::ModelConfig config;
  config.layout = Flow::kNative;
  config.vision = {
      .hidden_size = 24, .intermediate_size = 40, .num_hidden_layers = 2, .num_attention_heads = 2};
  config.vision.patch_size = 14;
  config.text.hidden_size = 32;
  config.text.intermediate_size = 48;
  config.text.num_hidden_layers = 2;
  config.text.num_attention_heads = 4;
  config.text.num_key_value_heads = 2;
  config.text.head_dim = 8;
  config.text.vocab_size = kVocab;
  config.text.tie_word_embeddings = tied;
  config.preprocess.flow = Flow::kNative;
  config.image_token_id = kImageToken;
  config.video_token_id = kImageToken + 1;
  config.generation.eos_token_id = {2};
  return config;
}

}  // namespace

std::shared_ptr<const weights::Checkpoint> random_model(const std::filesystem::path& folder, bool tied) {
  weights::write_random_checkpoint(config_of(tied), folder,
                                   {.seed = 3, .dtype = weights::DType::kF32, .std = 0.1});
  return std::make_shared<const weights::Checkpoint>(
      weights::Checkpoint::open(folder, weights::load_model_config(folder)));
}

data::PackedRow random_row(uint64_t seed, bool text_only) {
  std::mt19937_64 random(seed);
  data::PackedRow row;
  row.cu_seqlens.push_back(0);
  for (int sample = 0; sample < 3; ++sample) {
    row.sample_ids.push_back("sample" + std::to_string(seed) + "_" + std::to_string(sample));
    if (sample == 0 && !text_only) {
      for (const int64_t frames : {1, 2}) {
        data::VisualMedium medium;
        medium.kind = frames == 1 ? preprocess::MediaKind::kImage : preprocess::MediaKind::kVideo;
        medium.grid = {frames, 4, frames == 1 ? 6 : 4};
        medium.merge = frames;  // pictures 1, videos 2
        for (int64_t i = 0; i < frames * 4 * medium.grid.w * kPatchValues; ++i)
          medium.patches_u8.push_back(static_cast<uint8_t>(random() % 256));
        for (int64_t i = 0; i < frames * 4 * medium.grid.w / (frames * frames); ++i) {
          medium.keep.push_back(i % 5 != 3);
          if (medium.keep.back() == 0) continue;
          row.visual_positions.push_back(row.length());
          row.input_ids.push_back(kImageToken);
          row.labels.push_back(data::kIgnoreIndex);
        }
        row.media.push_back(std::move(medium));
      }
    }
    const auto length = static_cast<int64_t>(5 + random() % 20);
    for (int64_t i = 0; i < length; ++i) {
      row.input_ids.push_back(static_cast<int64_t>(random() % 70));
      row.labels.push_back(i > length / 2 ? row.input_ids.back() : data::kIgnoreIndex);
    }
    row.cu_seqlens.push_back(row.length());
  }
  for (const int64_t label : row.labels) row.labelled_tokens += label != data::kIgnoreIndex;
  return row;
}

std::map<std::string, at::Tensor> collected(const std::vector<train::LazyTensor>& tensors) {
  std::map<std::string, at::Tensor> all;
  for (const train::LazyTensor& tensor : tensors) {
    all[tensor.name] = tensor.get().clone();
    VL3_DCHECK(all[tensor.name].sizes() == at::IntArrayRef(tensor.shape) &&
               all[tensor.name].scalar_type() == tensor.dtype);
  }
  return all;
}

std::shared_ptr<const weights::Checkpoint> saved(const weights::Checkpoint& origin,
                                                 const std::map<std::string, at::Tensor>& weights,
                                                 const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto& config = origin.config();
  std::vector<weights::OutTensor> tensors;
  weights::DType dtype = weights::DType::kF32;
  for (const auto& expected : origin.tensors()) {
    const at::Tensor tensor = weights.at(expected.name).contiguous();
    dtype = tensor.scalar_type() == at::kFloat ? weights::DType::kF32 : weights::DType::kBF16;
    weights::OutTensor out;
    out.info = {weights::layout_name(expected.name, config.layout), dtype, expected.shape};
    out.produce = [tensor](const weights::ByteSink& sink) {
      sink({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
    };
    tensors.push_back(std::move(out));
  }
  weights::write_side_files(config, config.layout, dtype, folder);
  weights::write_and_verify(folder, tensors, 1'000'000'000, {});
  return std::make_shared<const weights::Checkpoint>(
      weights::Checkpoint::open(folder, weights::load_model_config(folder)));
}

}  // namespace vl3::test
