// One optimizer step of a model of a given shape: tokens per second and peak memory. compare.py runs it in
// alternation with the same model in PyTorch eager. usage: vl3_train_bench MODEL_DIR SHAPE DTYPE STEPS
// RECOMPUTE(0|1)   the folder is made when it is not there
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>

#include "core/check.h"
#include "train/train_step.h"
#include "weights/random_init.h"

namespace {

using namespace vl3;

struct Shape {
  int64_t vision, vision_layers, vision_heads, text, layers, heads, kv_heads, ffn, vocab;
  int64_t samples, grid, text_tokens, labelled;  // a sample: one picture of grid x grid patches, then text
};

Shape shape_of(const std::string& name) {
  if (name == "tiny") return {192, 4, 4, 256, 4, 8, 2, 704, 4096, 16, 8, 56, 20};
  if (name == "0.1b") return {384, 8, 6, 640, 12, 10, 2, 2560, 16384, 2, 20, 600, 300};
  VL3_FAIL(kInvalidArgument, "shape \"{}\": choose tiny or 0.1b", name);
}

weights::ModelConfig config_of(const Shape& shape) {
  weights::ModelConfig config;
  config.layout = Flow::kNative;
  config.vision = {.hidden_size = shape.vision,
                   .intermediate_size = 4 * shape.vision,
                   .num_hidden_layers = shape.vision_layers,
                   .num_attention_heads = shape.vision_heads};
  config.vision.patch_size = 14;
  config.text.hidden_size = shape.text;
  config.text.intermediate_size = shape.ffn;
  config.text.num_hidden_layers = shape.layers;
  config.text.num_attention_heads = shape.heads;
  config.text.num_key_value_heads = shape.kv_heads;
  config.text.head_dim = shape.text / shape.heads;
  config.text.vocab_size = shape.vocab;
  config.text.tie_word_embeddings = true;
  config.preprocess.flow = Flow::kNative;
  config.image_token_id = 5;
  config.video_token_id = 6;
  config.generation.eos_token_id = {2};
  return config;
}

data::PackedRow row_of(const Shape& shape) {
  std::mt19937_64 random(1);
  data::PackedRow row;
  row.cu_seqlens.push_back(0);
  for (int64_t s = 0; s < shape.samples; ++s) {
    data::VisualMedium medium;
    medium.grid = {1, shape.grid, shape.grid};
    medium.keep.assign(static_cast<size_t>(shape.grid * shape.grid), 1);
    for (int64_t i = 0; i < shape.grid * shape.grid * 588; ++i)
      medium.patches_u8.push_back(static_cast<uint8_t>(random() % 256));
    row.media.push_back(std::move(medium));
    for (int64_t i = 0; i < shape.grid * shape.grid + shape.text_tokens; ++i) {
      const bool visual = i < shape.grid * shape.grid;
      if (visual) row.visual_positions.push_back(row.length());
      row.input_ids.push_back(
          visual ? 5 : 10 + static_cast<int64_t>(random() % static_cast<uint64_t>(shape.vocab - 10)));
      const bool learned = i >= shape.grid * shape.grid + shape.text_tokens - shape.labelled;
      row.labels.push_back(learned ? row.input_ids.back() : data::kIgnoreIndex);
      row.labelled_tokens += learned;
    }
    row.cu_seqlens.push_back(row.length());
    row.sample_ids.push_back(std::to_string(s));
  }
  return row;
}

int64_t memory_kib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size() + 1));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    VL3_CHECK(argc == 6, kInvalidArgument,
              "usage: vl3_train_bench MODEL_DIR SHAPE DTYPE STEPS RECOMPUTE(0|1)");
    const std::filesystem::path folder = argv[1];
    const Shape shape = shape_of(argv[2]);
    if (!std::filesystem::exists(folder / "config.json"))
      weights::write_random_checkpoint(config_of(shape), folder,
                                       {.seed = 1, .dtype = weights::DType::kBF16, .std = 0.02});
    const int64_t before = memory_kib("VmRSS:");
    train::TrainConfig config;
    config.dtype = argv[3];
    config.gradient_checkpointing = argv[5] == std::string("1");
    config.lr = {.llm_lr = 1e-4, .mm_projector_lr = 1e-4, .vision_encoder_lr = 1e-4};
    const auto alone = train::single_process();
    const auto checkpoint = std::make_shared<const weights::Checkpoint>(
        weights::Checkpoint::open(folder, weights::load_model_config(folder)));
    train::TrainStep step(checkpoint, config, 100, at::kCPU, *alone);
    const std::vector rows = {row_of(shape)};
    double best = 1e30, loss = 0;
    for (int64_t i = 0; i < std::stoll(argv[4]) + 1; ++i) {
      const auto start = std::chrono::steady_clock::now();
      loss = step.step(rows).loss;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (i > 0) best = std::min(best, seconds);
    }
    std::printf(
        "{\"tokens\": %ld, \"seconds\": %.4f, \"tokens_per_s\": %.1f, \"peak_mib\": %.0f, \"own_mib\": %.0f, "
        "\"loss\": %.5f}\n",
        rows[0].length(), best, static_cast<double>(rows[0].length()) / best,
        static_cast<double>(memory_kib("VmHWM:")) / 1024,
        static_cast<double>(memory_kib("VmHWM:") - before) / 1024, loss);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vl3_train_bench: %s\n", error.what());
    return 1;
  }
}
