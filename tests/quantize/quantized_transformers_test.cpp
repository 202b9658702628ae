// What transformers with compressed-tensors makes of the folders we write. Skipped, with a word, where Python
// lacks the packages.
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "quantize/quantize.h"
#include "support/golden_tensors.h"
#include "support/temp_dir.h"
#include "weights/python.h"
#include "weights/safetensors_writer.h"

namespace vl3::quantize {
namespace {

namespace fs = std::filesystem;
using Inputs = nn::PackedWeight::Inputs;

at::Tensor logits_of(const engine::Runtime& runtime, const at::Tensor& ids, const at::Tensor& pixels) {
  const c10::InferenceMode inference;
  const auto& model = *runtime.model;
  at::Tensor x = model.language_model->embed(ids);
  const at::Tensor picture =
      model.projector->forward(model.vision_model->forward(pixels.unsqueeze(0), 4, 6, 1));
  x.narrow(0, 7, 24).copy_(picture[0]);
  lm::KvCache cache(runtime.config.text, 1, at::kFloat, at::kCPU);
  const lm::Segment segment{0, ids.size(0), &cache};
  return model.logits(model.language_model->forward(x, {&segment, 1}));
}

void write_tensors(const fs::path& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  std::vector<weights::TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos.push_back({name, tensor.scalar_type() == at::kLong ? weights::DType::kI64 : weights::DType::kF32,
                     tensor.sizes().vec()});
  }
  weights::SafetensorsWriter writer(path, infos);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor whole = tensor.contiguous();
    writer.append({static_cast<const std::byte*>(whole.const_data_ptr()), whole.nbytes()});
  }
  writer.commit();
}

TEST(QuantizedTransformersLive, GivesTheSameLogits) {
  const Float32Products exactly;
  int seen = 0;
  std::vector<fs::path> models = {VL3_SOURCE_DIR "/tests/data/seeded_tiny"};  // tied, bfloat16
  for (const fs::path& folder : test::golden_models("config.json")) {
    const bool untied = !weights::load_model_config(folder).text.tie_word_embeddings;
    if (untied && folder.filename() == "native" && fs::exists(folder / "tokenizer.json"))
      models.push_back(folder);
  }
  for (const fs::path& folder : models) {
    for (const int bits : {8, 4}) {
      const test::TempDir dir;
      quantize_checkpoint(folder, dir / "out",
                          {.bits = {.vision = 8, .lm = bits, .group = 32},
                           .samples = 4,
                           .measured = 1,
                           .force = true,
                           .progress = {}});
      const auto runtime = engine::Runtime::load({.model = folder, .flow = {}});
      const auto quantised = std::make_shared<const weights::Checkpoint>(
          weights::Checkpoint::open(dir / "out", weights::load_model_config(dir / "out")));
      const std::set<Part> all = {Part::kVision, Part::kProjector, Part::kLanguageModel, Part::kEmbeddings};
      at::manual_seed(1);
      const auto words = [&](int64_t n) { return at::randint(300, {n}, at::kLong); };
      const at::Tensor ids =
          at::cat({words(7), at::full({24}, runtime->config.image_token_id, at::kLong), words(9)});
      const at::Tensor pixels = at::rand({24, 588}) * 2 - 1;
      const auto ours = [&](const std::set<Part>& parts, Inputs inputs) {
        return logits_of(*with_parts(*runtime, quantised, parts, inputs), ids, pixels);
      };
      write_tensors(dir / "inputs.safetensors", {{"ids", ids},
                                                 {"pixels", pixels},
                                                 {"original", ours({}, Inputs::kExact)},
                                                 {"exact", ours(all, Inputs::kExact)},
                                                 {"as_run", ours(all, Inputs::kRounded)}});
      const auto result = test::run_python("compare_quantised.py",
                                           {(dir / "out").string(), (dir / "inputs.safetensors").string()});
      if (result.status == test::kPythonSkipped) GTEST_SKIP() << result.output;
      EXPECT_EQ(result.status, 0) << folder << " " << bits << ":\n" << result.output;
      if (result.status == 0) std::printf("%s int%d: %s", folder.c_str(), bits, result.output.c_str());
      ++seen;
    }
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace vl3::quantize
