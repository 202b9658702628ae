#include "train/train_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "train/golden_train.h"
#include "train/optimizer.h"
#include "train/random_model.h"
#include "train/run_writer.h"

namespace vl3::train {
namespace {

using test::error_of;
using test::random_row;
using test::relative_l2;

TrainConfig all_parts(const std::string& dtype = "float32") {
  TrainConfig config;
  config.dtype = dtype;
  config.loss_vocab_tile = 40;
  config.lr = {.llm_lr = 3e-3, .mm_projector_lr = 3e-3, .vision_encoder_lr = 1e-3};
  return config;
}

class TrainStepTest : public testing::Test {
 protected:
  TrainStep make(const TrainConfig& config, int64_t steps = 20) {
    return TrainStep(checkpoint_, config, steps, at::kCPU, *alone_);
  }
  test::TempDir folder_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_ =
      test::random_model(folder_ / "model", /*tied=*/true);
  std::unique_ptr<Collective> alone_ = single_process();
};

std::vector<data::PackedRow> window(uint64_t seed) {
  return {random_row(seed), random_row(seed + 100, true)};
}

std::map<std::string, at::Tensor> copied(const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.clone();
  return copies;
}

TEST_F(TrainStepTest, CheckpointedGradientsEqualThoseKept) {
  TrainConfig config = all_parts();
  TrainStep recomputing = make(config);
  config.gradient_checkpointing = false;
  TrainStep keeping = make(config);
  TrainStep::Loss a, b;
  const auto found = recomputing.gradients(window(1), &a), wanted = keeping.gradients(window(1), &b);
  EXPECT_NEAR(a.sum, b.sum, 1e-4);
  EXPECT_LE(relative_l2(found, wanted), 1e-6);
}

TEST_F(TrainStepTest, UntiedHeadTrains) {
  checkpoint_ = test::random_model(folder_ / "untied", /*tied=*/false);
  TrainStep step = make(all_parts());
  TrainStep::Loss loss;
  const auto gradients = step.gradients(window(1), &loss);
  EXPECT_GT(gradients.at("lm_head.weight").norm().item<double>(), 0);
  EXPECT_GT(gradients.at("model.language_model.embed_tokens.weight").norm().item<double>(), 0);
}

TEST_F(TrainStepTest, RowsOfAWindowMayBeCutAnyWay) {
  TrainStep step = make(all_parts());
  TrainStep::Loss one_by_one, swapped;
  const auto rows = window(2);
  const auto found = step.gradients(rows, &one_by_one);
  const auto other = step.gradients(std::vector{rows[1], rows[0]}, &swapped);
  EXPECT_EQ(one_by_one.labelled_tokens, swapped.labelled_tokens);
  EXPECT_LE(relative_l2(found, other), 1e-6);
}

TEST_F(TrainStepTest, FrozenPartsCostNoGradientAndNoOptimizerMemory) {
  const int64_t all = make(all_parts()).memory().trained_parameters;
  int64_t sum = 0;
  for (int part = 0; part < 3; ++part) {
    TrainConfig config = all_parts();
    if (part != 0) config.lr.llm_lr.reset();
    if (part != 1) config.lr.mm_projector_lr.reset();
    if (part != 2) config.lr.vision_encoder_lr.reset();
    TrainStep step = make(config);
    const auto before = copied(step.weights());
    const auto memory = step.memory();
    EXPECT_LE(memory.optimizer_bytes, 8 * memory.trained_parameters + 8 * 4 * 64);  // moments, and padding
    EXPECT_LE(memory.gradient_bytes, 4 * memory.trained_parameters + 4 * 4 * 64);
    sum += memory.trained_parameters;
    TrainStep::Loss loss;
    const auto gradients = step.gradients(window(3), &loss);
    int64_t numel = 0;
    for (const auto& [name, gradient] : gradients) numel += gradient.numel();
    EXPECT_EQ(numel, memory.trained_parameters);
    step.step(window(3));
    step.step(window(4));
    size_t moved = 0;
    for (const auto& [name, weight] : step.weights()) {
      const bool same = at::equal(weight, before.at(name));
      if (!gradients.contains(name)) {
        EXPECT_TRUE(same) << name << " is frozen";
        EXPECT_FALSE(weight.requires_grad()) << name;
      }
      moved += same ? 0 : 1;
    }
    EXPECT_GT(moved, gradients.size() / 2);
  }
  EXPECT_EQ(sum, all);
}

TEST_F(TrainStepTest, RowsWithoutImagesMoveTheEncoderByMomentum) {
  TrainStep step = make(all_parts());
  for (int i = 0; i < 3; ++i) step.step(window(5));
  const auto before = copied(step.weights());
  const std::vector text = {random_row(6, true)};
  const StepLog log = step.step(text);
  EXPECT_EQ(log.grad_norm_per_group.at("vision_encoder"), 0);
  const std::string name = "model.vision_model.encoder.layers.0.mlp.fc1.weight";
  EXPECT_FALSE(at::equal(step.weights().at(name), before.at(name)));
}

TEST_F(TrainStepTest, LossThatIsNotFiniteNamesTheSamplesAndChangesNothing) {
  TrainStep step = make(all_parts());
  step.step(window(7));
  step.step(window(8));
  const auto before = copied(step.weights()), state = test::collected(step.state());
  // A weight that is not a number stands for whatever goes wrong inside.
  at::Tensor norm = step.weights().at("model.language_model.norm.weight");
  const at::Tensor good = norm.clone();
  norm.fill_(std::numeric_limits<float>::quiet_NaN());
  const std::string error = error_of([&] { step.step(window(9)); });
  EXPECT_NE(error.find("sample9_0, sample9_1, sample9_2, sample109_0"), std::string::npos) << error;
  norm.copy_(good);
  for (const auto& [name, weight] : step.weights()) EXPECT_TRUE(at::equal(weight, before.at(name))) << name;
  for (const auto& [name, tensor] : test::collected(step.state()))
    EXPECT_TRUE(at::equal(tensor, state.at(name))) << name;
  EXPECT_EQ(step.step(window(9)).step, 3) << "and goes on";
}

TEST_F(TrainStepTest, WindowWithoutLabelsIsAnError) {
  TrainStep step = make(all_parts());
  auto rows = window(10);
  for (auto& row : rows) std::fill(row.labels.begin(), row.labels.end(), data::kIgnoreIndex);
  EXPECT_NE(error_of([&] { step.step(rows); }).find("no token is labelled; samples: sample10_0"),
            std::string::npos);
}

TEST_F(TrainStepTest, ResumesBitByBit) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    TrainStep whole = make(all_parts(dtype));
    std::vector<double> losses;
    std::map<std::string, at::Tensor> state, weights;
    for (uint64_t i = 0; i < 8; ++i) {
      if (i == 4) state = test::collected(whole.state()), weights = copied(whole.weights());
      losses.push_back(whole.step(window(20 + i)).loss);
    }
    const auto checkpoint = test::saved(*checkpoint_, weights, folder_ / ("saved_" + dtype));
    TrainStep resumed(checkpoint, all_parts(dtype), 20, at::kCPU, *alone_);
    resumed.load_state(state);
    EXPECT_EQ(resumed.steps_done(), 4);
    for (uint64_t i = 4; i < 8; ++i)
      EXPECT_EQ(resumed.step(window(20 + i)).loss, losses[i]) << dtype << " " << i;
  }
}

TEST_F(TrainStepTest, StateOfAnotherRecipeIsRefused) {
  TrainStep step = make(all_parts());
  auto state = test::collected(step.state());
  state.erase("exp_avg.model.projector.readout.0.bias");
  EXPECT_NE(error_of([&] { step.load_state(state); }).find("lacks exp_avg.model.projector.readout.0.bias"),
            std::string::npos);
}

TEST_F(TrainStepTest, BFloat16FollowsFloat32) {
  TrainStep wide = make(all_parts()), narrow = make(all_parts("bfloat16"));
  for (uint64_t i = 0; i < 10; ++i) {
    const double wanted = wide.step(window(40)).loss, found = narrow.step(window(40)).loss;
    EXPECT_NEAR(found / wanted, 1, 0.02) << i;
  }
  EXPECT_EQ(narrow.weights().at("model.language_model.norm.weight").scalar_type(), at::kBFloat16);
  EXPECT_EQ(test::collected(narrow.state()).at("master.model.language_model.norm.weight").scalar_type(),
            at::kFloat);
}

TEST(Optimizer, MuonsUpdateHasSingularValuesAboutOne) {
  torch::manual_seed(4);
  const at::Tensor x = at::randn({24, 40});
  for (const auto products : {at::kFloat, at::kBFloat16}) {
    for (const at::Tensor& matrix : {x, x.t()}) {
      const at::Tensor y = orthogonalised(matrix, products);
      EXPECT_EQ(y.scalar_type(), at::kFloat);
      const at::Tensor values = std::get<1>(at::linalg_svd(y, /*full_matrices=*/false));
      EXPECT_GT(values.min().item<double>(), 0.6);
      EXPECT_LT(values.max().item<double>(), 1.3);
    }
  }
}

TEST_F(TrainStepTest, MuonLowersTheLossAndLeavesEmbeddingsToAdamW) {
  TrainConfig config = all_parts();
  config.optim.optimizer = "muon";
  TrainStep step = make(config);
  const double first = step.step(window(50)).loss;
  double last = first;
  for (int i = 0; i < 12; ++i) last = step.step(window(50)).loss;
  EXPECT_LT(last, 0.9 * first);
  const auto state = test::collected(step.state());
  EXPECT_TRUE(state.contains("exp_avg_sq.model.language_model.embed_tokens.weight"));
  EXPECT_TRUE(state.contains("exp_avg_sq.model.vision_model.embeddings.patch_embedding.weight"));
  EXPECT_FALSE(state.contains("exp_avg_sq.model.language_model.layers.0.mlp.up_proj.weight"));
}

TEST_F(TrainStepTest, LoraTrainsAdaptersAloneAndSurvivesItsFiles) {
  TrainConfig config = all_parts();
  config.lr = {.llm_lr = 1e-2, .mm_projector_lr = std::nullopt, .vision_encoder_lr = 1e-2};
  config.lora = LoraConfig{
      .r = 3, .lora_alpha = 6, .lora_dropout = 0.1, .target_modules = {"q_proj", "down_proj", "fc1"}};
  TrainStep step = make(config);
  const auto before = copied(step.weights());
  const auto first = step.evaluate(window(60));
  for (int i = 0; i < 6; ++i) step.step(window(60));
  const auto trained = step.evaluate(window(60));
  EXPECT_LT(trained.sum, first.sum);
  for (const auto& [name, weight] : step.weights()) {
    if (before.contains(name)) {
      EXPECT_TRUE(at::equal(weight, before.at(name))) << name;
    }
  }
  const AdapterFiles adapter = step.adapter();
  EXPECT_EQ(adapter.tensors.size(), 2u * (2 + 2 + 2));  // two decoder layers, two encoder layers

  write_adapter(adapter, folder_.path(), Flow::kNative, "base");
  const AdapterFiles read = read_adapter(folder_.path());
  // In full: "q_proj" alone would have PEFT adapt the encoder's, too.
  std::vector<std::string> targets = read.lora.target_modules;
  EXPECT_EQ(targets.size(), 6u);
  EXPECT_NE(std::ranges::find(targets, "model.language_model.layers.1.self_attn.q_proj"), targets.end())
      << fmt::format("{}", fmt::join(targets, " "));
  EXPECT_EQ(std::ranges::count_if(targets, [](const auto& name) { return name.ends_with(".q_proj"); }), 2);
  EXPECT_EQ(whole_parts_note(config, adapter), "");
  TrainConfig more = config;
  more.lr.mm_projector_lr = 1e-2;
  EXPECT_NE(whole_parts_note(more, adapter).find("mm_projector trained whole beside them"),
            std::string::npos);
  TrainStep other = make(config);
  other.load_adapter(read);
  EXPECT_EQ(other.evaluate(window(60)).sum, trained.sum);

  auto merged = test::collected(step.merged_weights());
  TrainStep plain(test::saved(*checkpoint_, merged, folder_ / "merged"), all_parts(), 20, at::kCPU, *alone_);
  EXPECT_NEAR(plain.evaluate(window(60)).sum / trained.sum, 1, 1e-5);
}

TEST_F(TrainStepTest, DropoutMaskIsTheSameWhenActivationsAreMadeAgain) {
  TrainConfig config = all_parts();
  config.lr = {.llm_lr = 1e-2, .mm_projector_lr = std::nullopt, .vision_encoder_lr = std::nullopt};
  config.lora = LoraConfig{.r = 2, .lora_alpha = 4, .lora_dropout = 0.5};
  TrainStep recomputing = make(config);
  config.gradient_checkpointing = false;
  TrainStep keeping = make(config);
  for (uint64_t i = 0; i < 3; ++i)
    EXPECT_NEAR(recomputing.step(window(70)).loss, keeping.step(window(70)).loss, 1e-5);
  TrainStep::Loss a, b;
  EXPECT_LE(relative_l2(recomputing.gradients(window(71), &a), keeping.gradients(window(71), &b)), 1e-4);
}

TEST_F(TrainStepTest, RefusesWhatCannotBeHonoured) {
  const auto refusal = [&](const auto& change) {
    TrainConfig config = all_parts();
    change(config);
    return error_of([&] { make(config); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(refusal([](TrainConfig& c) { c.lr = {}; }), "nothing would train"));
  EXPECT_TRUE(has(refusal([](TrainConfig& c) { c.lr.llm_lr = -1; }), "lr.llm_lr -1"));
  EXPECT_TRUE(has(refusal([](TrainConfig& c) { c.dtype = "float16"; }), "choose float32 or bfloat16"));
  EXPECT_TRUE(has(refusal([](TrainConfig& c) { c.optim.optimizer = "sgd"; }), "choose adamw or muon"));
  EXPECT_TRUE(has(refusal([](TrainConfig& c) { c.optim.lr_scheduler_type = "cos"; }), "choose cosine"));
  EXPECT_TRUE(
      has(refusal([](TrainConfig& c) { c.lora = LoraConfig{.target_modules = {"nope"}}; }), "\"nope\""));
  EXPECT_TRUE(has(refusal([](TrainConfig& c) {
                    c.lr.llm_lr.reset();
                    c.lora = LoraConfig{};
                  }),
                  "lr.llm_lr is not set"));
}

TEST_F(TrainStepTest, RowThatContradictsItselfIsNamed) {
  TrainStep step = make(all_parts());
  auto rows = window(80);
  rows[0].visual_positions.pop_back();
  EXPECT_NE(error_of([&] { step.evaluate(rows); }).find("row of sample80_0"), std::string::npos);
  rows = window(80);
  rows[0].input_ids[50] = 90;
  EXPECT_NE(error_of([&] { step.evaluate(rows); }).find("token 90 is outside the vocabulary of 90"),
            std::string::npos);
}

}  // namespace
}  // namespace vl3::train
