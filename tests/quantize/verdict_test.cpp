#include "quantize/verdict.h"

#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "ops/linear.h"
#include "quantize/quantize.h"
#include "support/temp_dir.h"

namespace vl3::quantize {
namespace {

const std::filesystem::path kTiny = VL3_SOURCE_DIR "/tests/data/seeded_tiny";
using Inputs = nn::PackedWeight::Inputs;

TEST(QuantizeVerdict, AModelAgreesWithItself) {
  const Float32Products exactly;
  const auto runtime = engine::Runtime::load({.model = kTiny, .flow = {}});
  int steps = 0;
  const auto step = [&] { ++steps; };
  const auto same = runtime->with_network(runtime->model, at::kFloat);
  const Reference reference(*same, generate_samples(4, synth::Split::kHeldout, true), step);
  EXPECT_GE(reference.positions(), 4);
  const Loss loss = reference.loss_of(*same, step);
  EXPECT_EQ(steps, 8);
  EXPECT_LT(loss.max_kl, 1e-6);  // rows are computed together here and one by one there
  EXPECT_EQ(loss.agreement, 1.0);
  EXPECT_EQ(loss.same_answers, 4);
}

TEST(QuantizeVerdict, Float32ProductsMayBeNested) {
  const ops::Bf16Product own = ops::bf16_product();
  {
    const Float32Products outer;
    { const Float32Products inner; }
    EXPECT_EQ(ops::bf16_product(), ops::Bf16Product::kWidenedTiles);
  }
  EXPECT_EQ(ops::bf16_product(), own);
}

TEST(QuantizeVerdict, APartAloneComesFromTheQuantisedFolder) {
  const c10::InferenceMode inference;
  const Float32Products exactly;
  const test::TempDir dir;
  quantize_checkpoint(kTiny, dir / "out",
                      {.bits = {}, .samples = 2, .measured = 1, .force = true, .progress = {}});
  const auto runtime = engine::Runtime::load({.model = kTiny, .flow = {}});
  const auto quantised = std::make_shared<const weights::Checkpoint>(
      weights::Checkpoint::open(dir / "out", weights::load_model_config(dir / "out")));
  const auto plain = with_parts(*runtime, quantised, {}, Inputs::kExact);
  const auto vision = with_parts(*runtime, quantised, {Part::kVision}, Inputs::kExact);
  const auto rounded = with_parts(*runtime, quantised, {Part::kVision}, Inputs::kRounded);
  const at::Tensor pixels = at::randn({1, 16, 588}),
                   hidden = at::randn({3, runtime->config.text.hidden_size});
  const auto encode = [&](const engine::Runtime& of) {
    return of.model->vision_model->forward(pixels, 4, 4, 1);
  };
  const auto distance = [&](const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  };
  const at::Tensor wanted = encode(*plain);
  const double weights_only = distance(encode(*vision), wanted), as_run = distance(encode(*rounded), wanted);
  EXPECT_GT(weights_only, 1e-5);
  EXPECT_LT(weights_only, 0.05);
  EXPECT_GT(as_run, weights_only);
  EXPECT_LT(as_run, 0.1);
  EXPECT_TRUE(vision->model->logits(hidden).equal(plain->model->logits(hidden)));
}

}  // namespace
}  // namespace vl3::quantize
