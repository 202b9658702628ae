#include "train/planner.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "train/recipe.h"

namespace vl3::train {
namespace {

using test::TempDir;

weights::VisionConfig so400m() {
  weights::VisionConfig vision{
      .hidden_size = 1152, .intermediate_size = 4304, .num_hidden_layers = 27, .num_attention_heads = 16};
  vision.patch_size = 14;
  return vision;
}

// Qwen2.5-1.5B and -7B with the so400m encoder.
weights::ModelConfig model_2b() {
  weights::ModelConfig model;
  model.vision = so400m();
  model.text = {.hidden_size = 1536,
                .intermediate_size = 8960,
                .num_hidden_layers = 28,
                .num_attention_heads = 12,
                .num_key_value_heads = 2,
                .head_dim = 128,
                .vocab_size = 151936};
  model.text.tie_word_embeddings = true;
  return model;
}
weights::ModelConfig model_7b() {
  weights::ModelConfig model;
  model.vision = so400m();
  model.text = {.hidden_size = 3584,
                .intermediate_size = 18944,
                .num_hidden_layers = 28,
                .num_attention_heads = 28,
                .num_key_value_heads = 4,
                .head_dim = 128,
                .vocab_size = 152064};
  return model;
}

TrainConfig recipe(const std::vector<std::string>& set = {}) {
  return parse_recipe(
      "name=\"a\"\nmodel=\"b\"\n[lr]\nllm_lr=1e-5\nmm_projector_lr=1e-5\nvision_encoder_lr=2e-6\n"
      "[[data.sources]]\ndata_path=\"c.jsonl\"\n",
      "r.toml", set);
}

// By hand. Encoder: 27 (4 (1152² + 1152) + 2·1152·4304 + 4304 + 1152 + 4·1152) + 1152·588 + 1152 + 2·1152.
constexpr int64_t kVision =
    27 * (4 * (1152 * 1152 + 1152) + 2 * 1152 * 4304 + 4304 + 1152 + 4 * 1152) + 1152 * 588 + 3 * 1152;
constexpr int64_t kProjector2b = 1152 * 1536 + 1536 + 1536 * 1536 + 1536;
// A decoder layer: q, k, v with bias, o, gate, up, down, two norms.
constexpr int64_t kLlm2b =
    151936LL * 1536 + 1536 +
    28LL * (1536 * 1536 + 1536 + 2 * (1536 * 256 + 256) + 1536 * 1536 + 3 * 1536 * 8960 + 2 * 1536);
constexpr int64_t kLlm7b =
    2 * 152064LL * 3584 + 3584 +
    28LL * (3584 * 3584 + 3584 + 2 * (3584 * 512 + 512) + 3584 * 3584 + 3LL * 3584 * 18944 + 2 * 3584);

TEST(TrainPlan, CountsParametersAndTensorsOfTheParts) {
  const TrainPlan plan = make_train_plan(recipe({"lr.llm_lr=none"}), model_2b());
  ASSERT_EQ(plan.parts.size(), 3u);
  EXPECT_EQ(plan.parts[0].tensors, 436);
  EXPECT_EQ(plan.parts[1].tensors, 4);
  EXPECT_EQ(plan.parts[2].tensors, 338);
  EXPECT_EQ(plan.parts[0].parameters, kVision);
  EXPECT_EQ(plan.parts[1].parameters, kProjector2b);
  EXPECT_EQ(plan.parts[2].parameters, kLlm2b);
  EXPECT_EQ(kLlm2b, 1'543'714'304);  // what Qwen2.5-1.5B is published with
  EXPECT_EQ(plan.trained_parameters, kVision + kProjector2b);
  EXPECT_EQ(plan.frozen_parameters, kLlm2b);
  EXPECT_EQ(make_train_plan(recipe(), model_7b()).parts[2].parameters, kLlm7b);
  EXPECT_EQ(kLlm7b, 7'615'616'512);
}

TEST(TrainPlan, MemoryFollowsTheArithmetic) {
  const TrainPlan plan = make_train_plan(recipe(), model_2b());
  const uint64_t all = kVision + kProjector2b + kLlm2b;
  ASSERT_EQ(plan.memory.front().processes, 1);
  const TrainMemory& one = plan.memory.front();
  EXPECT_EQ(one.weights, 2 * all);
  EXPECT_EQ(one.gradients, 4 * all);
  EXPECT_EQ(one.masters, 4 * all);
  EXPECT_EQ(one.moments, 8 * all);
  // Row of 16384 tokens, 10240 visual from 40960 patches (video, merged 2x2); bf16; one decoder layer and one
  // block whole.
  const uint64_t decoder = 4 * 1536 + (12 + 2) * 2 * 128 + 4 * 8960, block = 8 * 1152 + 2 * 4304;
  const uint64_t values = 16384ull * (2 * 1536 + 28 * 1536 + decoder) + 10240ull * (1152 + 3 * 1536) +
                          40960ull * (27 * 1152 + block);
  EXPECT_EQ(plan.row_tokens, 16384);
  EXPECT_EQ(plan.row_visual_tokens, 10240);
  EXPECT_EQ(plan.row_patches, 40960);
  EXPECT_EQ(one.activations, 2 * values);
  const uint64_t kept =
      16384ull * (2 * 1536 + 28 * decoder) + 10240ull * (1152 + 3 * 1536) + 40960ull * 27 * block;
  EXPECT_EQ(plan.activations_without_checkpointing, 2 * kept);
  EXPECT_EQ(one.logits, 2ull * 4 * 6144 * 8192);
  const TrainMemory& eight = plan.memory[3];
  EXPECT_EQ(eight.processes, 8);
  EXPECT_EQ(eight.masters, (4 * all + 7) / 8);
  EXPECT_EQ(eight.moments, all);
  EXPECT_EQ(eight.weights, one.weights);
  EXPECT_EQ(eight.gradients, 4 * all);
}

TEST(TrainPlan, FrozenPartsCostNoOptimizerMemoryAndFloat32NoMasters) {
  const TrainPlan plan = make_train_plan(recipe({"lr.llm_lr=none", "dtype=float32"}), model_2b());
  const uint64_t trained = kVision + kProjector2b;
  EXPECT_EQ(plan.memory[0].masters, 0u);
  EXPECT_EQ(plan.memory[0].gradients, 4 * trained);
  EXPECT_EQ(plan.memory[0].moments, 8 * trained);
  EXPECT_EQ(plan.memory[0].weights, 4 * (trained + kLlm2b));
  EXPECT_LT(plan.flops_per_token, make_train_plan(recipe(), model_2b()).flops_per_token);
}

TEST(TrainPlan, LoraTrainsTheAdaptersOfItsTargets) {
  const TrainPlan plan = make_train_plan(
      recipe({"lr.mm_projector_lr=none", "lr.vision_encoder_lr=none", "lora.r=8"}), model_2b());
  EXPECT_FALSE(plan.parts[2].trained);
  ASSERT_EQ(plan.parts.size(), 4u);
  EXPECT_EQ(plan.parts[3].tensors, 28 * 7 * 2);
  // q and o: 1536 + 1536; k and v: 1536 + 256; gate, up, down: 1536 + 8960.
  EXPECT_EQ(plan.trained_parameters, 28 * 8 * (2 * 3072 + 2 * 1792 + 3 * 10496));
  const TrainPlan vision = make_train_plan(
      recipe({"lora.r=2", "lora.target_modules=[\"fc1\", \"vision_model.q_proj\"]"}), model_2b());
  EXPECT_EQ(vision.parts[3].parameters, 2 * 27 * ((1152 + 4304) + (1152 + 1152)));
  EXPECT_FALSE(vision.parts[0].trained);
  EXPECT_TRUE(vision.parts[2].trained);
  const auto error = [](const std::vector<std::string>& set) {
    return test::error_of([&] { make_train_plan(recipe(set), model_2b()); });
  };
  EXPECT_NE(error({"lora.r=2", "lr.llm_lr=none"}).find("but lr.llm_lr is not set"), std::string::npos);
  EXPECT_NE(error({"lora.target_modules=[\"q_porj\"]"}).find("\"q_porj\" is no linear of this model"),
            std::string::npos);
}

TEST(TrainPlan, MuonKeepsOneMomentOfHiddenMatrices) {
  const TrainPlan adamw = make_train_plan(recipe(), model_2b()),
                  muon = make_train_plan(recipe({"optim.optimizer=muon"}), model_2b());
  const int64_t matrices = 27 * (4 * 1152 * 1152 + 2 * 1152 * 4304) + 1152 * 1536 + 1536 * 1536 +
                           28 * (2 * 1536 * 1536 + 2 * 1536 * 256 + 3 * 1536 * 8960);
  EXPECT_EQ(adamw.memory[0].moments - muon.memory[0].moments, 4ull * static_cast<uint64_t>(matrices));
}

TEST(TrainPlan, StepsAndTimeFollowFromSamplesAndSpeed) {
  const TrainConfig config = recipe({"global_batch_size=10", "num_train_epochs=2"});
  EXPECT_FALSE(make_train_plan(config, model_2b()).steps.has_value());
  TrainPlan plan = make_train_plan(
      config, model_2b(), {.samples = 101, .mean_sample_tokens = 500, .flops_per_s = 1e12, .processes = 2});
  EXPECT_EQ(plan.steps, 21);
  EXPECT_EQ(plan.step_tokens, 5000);
  EXPECT_TRUE(plan.step_tokens_known);
  EXPECT_DOUBLE_EQ(*plan.step_seconds, 5000 * plan.flops_per_token / 2e12);
  EXPECT_DOUBLE_EQ(*plan.run_seconds, 21 * *plan.step_seconds);
  plan = make_train_plan(recipe({"max_steps=7"}), model_2b(), {.samples = 100'000});
  EXPECT_EQ(plan.steps, 7);
  EXPECT_EQ(plan.step_tokens, 128 * 16384);
  EXPECT_FALSE(plan.step_tokens_known);
  // Three matrix products a trained weight (forward, inputs, weights) and one more to recompute.
  const TrainPlan once = make_train_plan(recipe({"gradient_checkpointing=false"}), model_2b());
  EXPECT_LT(once.flops_per_token, plan.flops_per_token);
  EXPECT_GT(once.flops_per_token, 6.0 * 1'310'000'000);  // the decoder alone without its table
}

TEST(TrainPlan, TimeGoesByWhatSamplesAreLike) {
  const TrainConfig config = recipe({"global_batch_size=10", "gradient_checkpointing=false"});
  const SampleMeans means{
      .samples = 3, .tokens = 200, .visual = 150, .labelled = 5, .patches = 600, .frame_patches = 600};
  const TrainPlan plan = make_train_plan(config, model_2b(), {.means = means, .flops_per_s = 1e12});
  EXPECT_EQ(plan.step_tokens, 2000);
  EXPECT_TRUE(plan.step_tokens_known);
  // Products of one sample: encoder, projector, decoder and the head where something is learned.
  const double encoder =
      600 * (2.0 * (27 * (4 * 1152.0 * 1152 + 2 * 1152 * 4304) + 1152 * 588) + 4.0 * 27 * 1152 * 600);
  const double projector = 150 * 2.0 * (1152.0 * 1536 + 1536 * 1536);
  const double decoder =
      200 * (2.0 * 28 * (2 * 1536.0 * 1536 + 2 * 1536 * 256 + 3 * 1536 * 8960) + 2.0 * 28 * 1536 * 200);
  const double head = 5 * 2.0 * 151936 * 1536;
  EXPECT_NEAR(plan.flops_per_token * 200 / (3 * (encoder + projector + decoder) + 4 * head), 1, 1e-9);
  EXPECT_DOUBLE_EQ(*plan.step_seconds, 2000 * plan.flops_per_token / 1e12);
  EXPECT_NE(
      plan_text(plan).find("sample: 200 tokens, 150 of them visual from 600 patches, 5 learned (mean of 3)"),
      std::string::npos);
  EXPECT_EQ(to_json(plan).at("sample_means").at("patches"), 600);
  EXPECT_FALSE(to_json(make_train_plan(config, model_2b())).contains("sample_means"));
  // The warm-up of the encoder runs nothing else.
  const TrainPlan warm_up = make_train_plan(recipe({"objective=patch_labels", "gradient_checkpointing=false",
                                                    "lr.llm_lr=none", "lr.mm_projector_lr=none"}),
                                            model_2b(), {.means = means});
  EXPECT_NEAR(warm_up.flops_per_token * 200 / (3 * encoder), 1, 1e-9);
}

TEST(TrainPlan, SaysWhyARunWouldNotBegin) {
  const auto error = [](const std::vector<std::string>& set, int64_t samples) {
    const TrainPlan plan = make_train_plan(recipe(set), model_2b(), {.samples = samples});
    const std::string text = fmt::format("{}", fmt::join(plan.refusals, "; "));
    EXPECT_NE(plan_text(plan).find(text), std::string::npos);
    return text;
  };
  EXPECT_NE(error({"global_batch_size=32"}, 28).find("global_batch_size 32 is more than the 28 records"),
            std::string::npos);
  EXPECT_NE(error({"global_batch_size=28"}, 28).find("1 step at learning rate 0"), std::string::npos);
  EXPECT_NE(error({"max_steps=1"}, 1000).find("optim.warmup_ratio = 0"), std::string::npos);
  EXPECT_EQ(error({"global_batch_size=28", "optim.warmup_ratio=0"}, 28), "");
  EXPECT_EQ(error({"global_batch_size=27"}, 28), "");
}

TEST(TrainPlan, TextAndJsonSayTheSame) {
  const TrainPlan plan =
      make_train_plan(recipe(), model_7b(), {.samples = 1'000'000, .flops_per_s = 4e14, .processes = 8});
  const OrderedJson json = to_json(plan);
  EXPECT_EQ(json.at("trained_parameters"), plan.trained_parameters);
  EXPECT_EQ(json.at("memory").size(), 7u);
  EXPECT_EQ(json.at("steps"), 7813);
  EXPECT_EQ(json.at("prefetch_bytes"), 512 << 20);
  const std::string text = plan_text(plan);
  EXPECT_NE(text.find("GiB per process"), std::string::npos) << text;
  EXPECT_NE(text.find("512.0 MiB a process for samples that wait"), std::string::npos) << text;
  EXPECT_NE(text.find("7.62B parameters  trained"), std::string::npos) << text;
  EXPECT_NE(text.find("steps: 7813"), std::string::npos) << text;
}

TEST(TrainPlan, SaysSmallModelsInMiB) {
  weights::ModelConfig model = model_2b();
  model.vision.num_hidden_layers = model.text.num_hidden_layers = 1;
  model.vision.hidden_size = model.text.hidden_size = 64;
  model.vision.intermediate_size = model.text.intermediate_size = 128;
  model.text.vocab_size = 1000;
  const TrainPlan plan = make_train_plan(
      recipe({"data.row_tokens=512", "data.model_max_length=512", "data.mm_max_length=256"}), model);
  const std::string text = plan_text(plan);
  EXPECT_NE(text.find("MiB per process"), std::string::npos) << text;
}

TEST(CountSamples, CountsLinesAndObjectsByWeight) {
  const TempDir dir;
  dir.write("a.jsonl", "{\"x\": 1}\n\n{\"x\": 2}\n  \n{\"x\": 3}");
  dir.write("b.json", R"([{"a": [{"b": "]}{\"["}]}, {"c": {}}])");
  dir.write("c.tar", "x");
  DataConfig data;
  data.sources.resize(3);
  data.sources[0].data_path = {(dir / "a.json*").string()};
  data.sources[1].data_path = {(dir / "b.json").string(), (dir / "none.jsonl").string()};
  data.sources[1].weight = 2.5;
  data.sources[2].data_path = {(dir / "c.tar").string()};
  const SampleCount count = count_samples(data);
  EXPECT_EQ(count.samples, 3 + 5);
  EXPECT_EQ(count.missing, std::vector<std::string>{(dir / "none.jsonl").string()});
  EXPECT_EQ(count.uncounted, std::vector<std::string>{(dir / "c.tar").string()});
}

}  // namespace
}  // namespace vl3::train
