#include "quantize/quantize.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "core/file.h"
#include "core/json.h"
#include "lm/paged_decoder.h"
#include "support/temp_dir.h"
#include "support/tensors.h"
#include "vl3/engine.h"
#include "weights/convert.h"

namespace vl3::quantize {
namespace {

using test::error_of;
using test::TempDir;
namespace fs = std::filesystem;

const fs::path kTiny = VL3_SOURCE_DIR "/tests/data/seeded_tiny";

Options small(Bits bits = {}) {
  return {.bits = bits, .samples = 4, .measured = 4, .max_kl = 1, .min_agreement = 0.5, .progress = {}};
}

std::string answer_of(const fs::path& model) {
  AskOptions options;
  options.generation.temperature = 0.0;
  options.generation.max_tokens = 12;
  return Engine::load({.model = model.string()})
      .ask({user_message(
               {image_part(VL3_SOURCE_DIR "/examples/media/shapes.png"), text_part("Describe the image.")})},
           options)
      .text;
}

at::Tensor logits_of(const engine::Runtime& runtime, const at::Tensor& ids) {
  const c10::InferenceMode inference;
  lm::KvCache cache(runtime.config.text, 1, runtime.weight_dtype, at::kCPU);
  const lm::Segment segment{0, ids.size(0), &cache};
  return runtime.model->logits(
      runtime.model->language_model->forward(runtime.model->language_model->embed(ids), {&segment, 1}));
}

TEST(Quantize, EightBitsAnswerAsBefore) {
  const TempDir dir;
  const Report report = quantize_checkpoint(kTiny, dir / "out", small());
  EXPECT_EQ(report.parts.size(), 5u);
  EXPECT_EQ(report.parts.back().part, "all");
  EXPECT_LT(report.loss().mean_kl, 0.05);
  EXPECT_LT(report.bytes_after, report.bytes_before * 2 / 3);
  EXPECT_EQ(report.modules.size(), plan_modules(weights::load_model_config(kTiny), {}).size());
  for (const ModuleVerdict& verdict : report.modules) {
    EXPECT_GT(verdict.weight_error, 1e-4) << verdict.module.weight;
    EXPECT_LT(verdict.output_error, 0.02) << verdict.module.weight;
    EXPECT_GE(verdict.output_error_rounded_inputs, verdict.output_error) << verdict.module.weight;
    EXPECT_EQ(verdict.output_error, verdict.tried.at(verdict.rounding)) << verdict.module.weight;
    for (const auto& [name, error] : verdict.tried) EXPECT_LE(verdict.output_error, error) << name;
  }
  EXPECT_EQ(answer_of(dir / "out"), answer_of(kTiny));
  const Json stored = read_json_file(dir / "out" / "quantize.json");
  EXPECT_EQ(stored["parts"]["all"]["as_run"]["mean_kl"].get<double>(), report.loss().mean_kl);
  EXPECT_EQ(stored["modules"].size(), report.modules.size());
}

TEST(Quantize, FourBitsAreGptqsOrBetter) {
  const TempDir dir;
  const Report report = quantize_checkpoint(kTiny, dir / "out", small({.vision = 0, .lm = 4, .group = 32}));
  size_t four = 0;
  for (const ModuleVerdict& verdict : report.modules) {
    if (verdict.module.scheme.bits != 4) continue;
    ++four;
    EXPECT_TRUE(verdict.tried.contains("gptq")) << verdict.module.weight;
  }
  EXPECT_GT(four, 0u);
  const auto runtime = engine::Runtime::load({.model = dir / "out", .flow = {}});
  EXPECT_FALSE(runtime->packed_weights().contains("model.vision_model.encoder.layers.0.mlp.fc1.weight"));
  const auto& up = runtime->packed_weights().at("model.language_model.layers.0.mlp.up_proj.weight");
  EXPECT_FALSE(up->ready());
  EXPECT_EQ(up->get().bits(), 4);
  EXPECT_EQ(up->get().group(), 32);
  EXPECT_TRUE(up->ready());
}

TEST(Quantize, OneTableServesLookUpAndHead) {
  const TempDir dir;
  quantize_checkpoint(kTiny, dir / "out", small());
  const auto runtime = engine::Runtime::load({.model = dir / "out", .flow = {}});
  EXPECT_EQ(runtime->model->head().packed, runtime->model->language_model->embed_tokens().packed);
  const at::Tensor ids = at::arange(5, at::kLong), rows = runtime->model->language_model->embed(ids);
  EXPECT_TRUE(rows.equal(runtime->model->head().packed->get().dequantised().narrow(0, 0, 5)));
}

TEST(Quantize, ConvertWritesTheNumbersOutAgain) {
  const TempDir dir;
  quantize_checkpoint(kTiny, dir / "out", small({.vision = 8, .lm = 4, .group = 32}));
  weights::convert_checkpoint(dir / "out", dir / "plain",
                              {.to = Flow::kNative, .dtype = weights::DType::kF32});
  const auto quantised = engine::Runtime::load({.model = dir / "out", .flow = {}}),
             plain = engine::Runtime::load({.model = dir / "plain", .flow = {}});
  EXPECT_TRUE(plain->packed_weights().empty());
  EXPECT_EQ(plain->weight_dtype, at::kFloat);
  for (const auto& [name, weight] : quantised->packed_weights()) {
    nn::CheckpointSource source(plain->checkpoint, at::kFloat, at::kCPU);
    const at::Tensor wanted = weight->get().dequantised();
    EXPECT_TRUE(source.get(name, wanted.sizes()).equal(wanted)) << name;
  }
}

TEST(Quantize, TheBatchEnginesDecoderGivesTheSame) {
  const c10::InferenceMode inference;
  const TempDir dir;
  for (const int bits : {8, 4}) {
    const fs::path out = dir / std::to_string(bits);
    quantize_checkpoint(kTiny, out, small({.vision = 0, .lm = bits, .group = 32}));
    const auto runtime = engine::Runtime::load({.model = out, .dtype = "float32", .flow = {}});
    const auto& text = runtime->config.text;
    lm::PagedDecoder paged(*runtime->model->language_model, text, runtime->model->head(), at::kFloat, 8, 16);
    const at::Tensor ids = at::randint(600, {50}, at::kLong), wanted = logits_of(*runtime, ids);
    const std::vector<int32_t> pages = {5, 2, 7, 0};
    const lm::PagedSegment own{0, 50, 0, pages};
    const at::Tensor hidden = paged.forward(runtime->model->language_model->embed(ids), {&own, 1});
    const double worst = (paged.logits(hidden) - wanted).abs().max().item<double>();
    EXPECT_LT(worst, 0.05 * wanted.abs().max().item<double>()) << bits;  // inputs may round to a neighbour
  }
}

TEST(Quantize, RefusesALossAboveTheLimitAndLeavesNothing) {
  const TempDir dir;
  Options strict = small();
  strict.max_kl = 0;
  size_t judged_parts = 0;
  strict.judged = [&](const Report& report) { judged_parts = report.parts.size(); };
  const std::string error = error_of([&] { quantize_checkpoint(kTiny, dir / "out", strict); });
  EXPECT_NE(error.find("not written: mean logit KL"), std::string::npos) << error;
  EXPECT_NE(error.find("--force"), std::string::npos) << error;
  EXPECT_TRUE(fs::is_empty(dir.path()));
  EXPECT_EQ(judged_parts, 5u) << "who is refused sees what cost it";
  strict.force = true;
  EXPECT_FALSE(quantize_checkpoint(kTiny, dir / "out", strict).within_limits());
  EXPECT_EQ(read_json_file(dir / "out" / "quantize.json")["limits"]["within"], false);
}

TEST(Quantize, RefusesWhatItCannotDo) {
  const TempDir dir;
  const auto refused = [&](Options options, const fs::path& source) {
    return error_of([&] { quantize_checkpoint(source, dir / "new", options); });
  };
  EXPECT_NE(refused(small({.vision = 4}), kTiny).find("vision: 4 bits"), std::string::npos);
  Options no_bytes = small();
  no_bytes.max_shard_size = 0;
  EXPECT_NE(refused(no_bytes, kTiny).find("max_shard_size 0"), std::string::npos);
  EXPECT_NE(refused(small({.vision = 0, .lm = 0}), kTiny).find("nothing to quantise"), std::string::npos);
  EXPECT_NE(refused(small({.group = 48}), kTiny).find("group 48"), std::string::npos);
  quantize_checkpoint(kTiny, dir / "out", small());
  EXPECT_NE(refused(small(), dir / "out").find("quantised already"), std::string::npos);
  Options stopped = small();
  stopped.progress = [](const std::string&, int64_t, int64_t) { VL3_FAIL(kCancelled, "stopped"); };
  EXPECT_NE(refused(stopped, kTiny).find("stopped"), std::string::npos);
  EXPECT_FALSE(fs::exists(dir / "new"));
}

TEST(Quantize, MoreMemoryOnlySavesPasses) {
  const TempDir dir;
  Options little = small({.vision = 8, .lm = 4, .group = 32});
  const Report one = quantize_checkpoint(kTiny, dir / "one", little);
  little.stats_bytes = 1;  // a module at a time
  const Report many = quantize_checkpoint(kTiny, dir / "many", little);
  ASSERT_EQ(one.modules.size(), many.modules.size());
  for (size_t i = 0; i < one.modules.size(); ++i) {
    const double error = one.modules[i].output_error;
    // Sums in another order where memory lies elsewhere.
    EXPECT_NEAR(many.modules[i].output_error, error, 1e-3 * error) << one.modules[i].module.weight;
  }
}

}  // namespace
}  // namespace vl3::quantize
