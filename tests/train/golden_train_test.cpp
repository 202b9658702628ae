// The golden training set: losses, gradients and ten-step runs, walking what its files list.
#include "train/golden_train.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/lora.h"
#include "train/parts.h"
#include "train/random_model.h"
#include "train/train_step.h"
#include "weights/hf_names.h"

namespace vl3::train {
namespace {

using test::golden_train_dir;

#define VL3_REQUIRE_GOLDEN_TRAIN() \
  if (!test::has_golden_train()) GTEST_SKIP() << "no golden training set at " << golden_train_dir()

constexpr int64_t kTile = 200;  // rows of the vocabulary at once: several tiles and a rest

Json read(const std::string& name) { return read_json_file(golden_train_dir() / name); }
int64_t image_token() { return read("manifest.json")["image_token_id"]; }

TrainConfig everything_trains() {
  TrainConfig config;
  config.dtype = "float32";
  config.loss_vocab_tile = kTile;
  config.lr = {.llm_lr = 1e-3, .mm_projector_lr = 1e-3, .vision_encoder_lr = 1e-3};
  return config;
}

std::filesystem::path model_of(const std::string& name) {
  const Json manifest = read("manifest.json");
  return name == manifest["model"].get<std::string>()
             ? golden_train_dir() / "model"
             : golden_train_dir() / manifest["extra_model_path"].get<std::string>();
}

// All micro-batches that the set lists; one of whose files is missing is a failure.
std::map<std::string, Json> micro_batches() {
  std::map<std::string, Json> found;
  const Json listed = read("micro_batches/micro_batches.json");
  for (const auto& [key, entry] : listed.items()) {
    std::vector<std::filesystem::path> files = {
        model_of(entry["model"]) / "config.json",
        golden_train_dir() / "micro_batches" / (key + ".batch.safetensors")};
    for (const Json& id : entry["samples"])
      files.push_back(golden_train_dir() / "samples" / (id.get<std::string>() + ".json"));
    for (const auto& file : files) EXPECT_TRUE(std::filesystem::exists(file)) << key << " needs " << file;
    found[key] = entry;
  }
  return found;
}

void expect_gradients(const std::map<std::string, at::Tensor>& found, const std::filesystem::path& file) {
  const auto wanted = test::golden_weights(file);
  double total = 0;
  for (const auto& [name, tensor] : wanted) {
    ASSERT_TRUE(found.contains(name)) << name;
    total += tensor.to(at::kDouble).square().sum().item<double>();
  }
  EXPECT_EQ(found.size(), wanted.size());
  EXPECT_LE(test::relative_l2(found, wanted), 5e-5);
  for (const auto& [name, tensor] : wanted) {
    if (tensor.norm().item<double>() <= 1e-6 * std::sqrt(total)) continue;  // rounding noise around zero
    EXPECT_LE(test::relative_l2(found.at(name), tensor), 1e-4) << name;
  }
}

TEST(GoldenTrain, LossAndGradientOfEveryMicroBatch) {
  VL3_REQUIRE_GOLDEN_TRAIN();
  const auto alone = single_process();
  const auto batches = micro_batches();
  ASSERT_FALSE(batches.empty());
  for (const bool recompute : {true, false}) {
    for (const auto& [key, entry] : batches) {
      SCOPED_TRACE(key);
      TrainConfig config = everything_trains();
      config.gradient_checkpointing = recompute;
      TrainStep step(test::open_checkpoint(model_of(entry["model"])), config, 10, at::kCPU, *alone);
      const std::vector rows = {test::golden_micro_batch(key, entry, image_token())};
      TrainStep::Loss loss;
      const auto gradients = step.gradients(rows, &loss);
      EXPECT_EQ(loss.labelled_tokens, entry["labelled_tokens"].get<int64_t>());
      const double mean = loss.sum / static_cast<double>(loss.labelled_tokens);
      EXPECT_NEAR(mean, entry["loss"].get<double>(), 2e-5);
      EXPECT_NEAR(mean, entry["loss_f64"].get<double>(), 2e-5);
      double squares = 0;
      for (const auto& [name, gradient] : gradients)
        squares += gradient.to(at::kDouble).square().sum().item<double>();
      EXPECT_NEAR(std::sqrt(squares) / entry["grad_norm"].get<double>(), 1, 5e-5);
      if (!entry["gradients"].is_null())
        expect_gradients(gradients, golden_train_dir() / entry["gradients"].get<std::string>());
    }
  }
}

TEST(GoldenTrain, PackedRowEqualsItsSamplesWeighted) {
  VL3_REQUIRE_GOLDEN_TRAIN();
  const auto alone = single_process();
  for (const auto& [key, entry] : micro_batches()) {
    SCOPED_TRACE(key);
    TrainStep step(test::open_checkpoint(model_of(entry["model"])), everything_trains(), 10, at::kCPU,
                   *alone);
    const std::vector<std::string> samples = entry["samples"];
    const auto row = [&, &entry = entry](const std::vector<std::string>& ids) {
      return std::vector{test::golden_row(ids, entry["image_merge"], entry["prune"], image_token())};
    };
    TrainStep::Loss loss;
    const auto packed = step.gradients(row(samples), &loss);
    std::map<std::string, at::Tensor> sum;
    for (size_t s = 0; s < samples.size(); ++s) {
      TrainStep::Loss own;
      for (const auto& [name, gradient] : step.gradients(row({samples[s]}), &own)) {
        const double share =
            static_cast<double>(own.labelled_tokens) / static_cast<double>(loss.labelled_tokens);
        sum[name] = sum.contains(name) ? sum[name] + gradient * share : gradient * share;
      }
      EXPECT_NEAR(own.sum / static_cast<double>(own.labelled_tokens), entry["sample_losses"][s].get<double>(),
                  2e-5);
    }
    EXPECT_LE(test::relative_l2(packed, sum), 1e-5);
  }
}

TEST(GoldenTrain, ParameterGroups) {
  VL3_REQUIRE_GOLDEN_TRAIN();
  const auto checkpoint = test::open_checkpoint(golden_train_dir() / "model");
  const Json groups = read("param_groups.json");
  EXPECT_EQ(groups.size(), checkpoint->tensors().size());
  for (const auto& [file_name, group] : groups.items()) {
    const std::string name = weights::canonical_name(file_name).value();
    EXPECT_EQ(part_name(part_of(name)), group["group"].get<std::string>()) << name;
    EXPECT_EQ(decays(name), group["decay"].get<bool>()) << name;
  }
}

std::vector<std::filesystem::path> runs() {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(golden_train_dir() / "runs")) return found;
  for (const auto& entry : std::filesystem::directory_iterator(golden_train_dir() / "runs")) {
    if (entry.path().extension() == ".json" && entry.path().stem() != "schedule")
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<double> rate(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

void expect_run(const std::filesystem::path& file) {
  const Json run = read_json_file(file), schedule = read("runs/schedule.json");
  const auto checkpoint = test::open_checkpoint(golden_train_dir() / "model");
  TrainConfig config = everything_trains();
  config.lr = {.llm_lr = rate(run["lr"]["llm"]),
               .mm_projector_lr = rate(run["lr"]["mm_projector"]),
               .vision_encoder_lr = rate(run["lr"]["vision_encoder"])};
  config.optim.max_grad_norm = rate(run["max_grad_norm"]);
  config.optim.weight_decay = run["weight_decay"];
  config.optim.adam_beta1 = run["betas"][0];
  config.optim.adam_beta2 = run["betas"][1];
  config.optim.adam_epsilon = run["eps"];
  const auto alone = single_process();
  TrainStep step(checkpoint, config, run["steps"], at::kCPU, *alone);
  const auto row = [&](const std::vector<std::string>& ids) {
    return test::golden_row(ids, run["image_merge"], run["prune"], image_token());
  };
  const auto pool_loss = [&] {
    TrainStep::Loss sum;
    for (const std::string id : schedule["pool"]) {
      const auto loss = step.evaluate(std::vector{row({id})});
      sum.sum += loss.sum, sum.labelled_tokens += loss.labelled_tokens;
    }
    return sum.sum / static_cast<double>(sum.labelled_tokens);
  };
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, weight] : step.weights()) before[name] = weight.clone();
  EXPECT_NEAR(pool_loss(), run["pool_loss_before"].get<double>(), 1e-4);

  for (size_t s = 0; s < schedule["steps"].size(); ++s) {
    SCOPED_TRACE("step " + std::to_string(s));
    std::vector<data::PackedRow> rows;
    for (const Json& ids : schedule["steps"][s]) rows.push_back(row(ids));
    const StepLog log = step.step(rows);
    const Json& wanted = run["log"][s];
    EXPECT_NEAR(log.loss, wanted["loss"].get<double>(), 1e-4);
    EXPECT_EQ(log.labelled_tokens, wanted["labelled_tokens"].get<int64_t>());
    const auto norm_wanted =
        wanted["grad_norm"].get<double>();  // 0 without images where only the encoder trains
    EXPECT_NEAR(log.grad_norm, norm_wanted, 2e-4 * norm_wanted);
    for (const auto& [group, norm] : wanted["grad_norm_per_group"].items()) {
      // A window without images has gradient zero in encoder and projector.
      EXPECT_NEAR(log.grad_norm_per_group.at(group), norm.get<double>(), 2e-4 * norm.get<double>() + 1e-12)
          << group;
    }
    EXPECT_EQ(log.lr.size(), wanted["lr"].size());
    for (const auto& [group, lr] : wanted["lr"].items())
      EXPECT_NEAR(log.lr.at(group), lr.get<double>(), 1e-9 * lr.get<double>()) << group;
  }

  EXPECT_NEAR(pool_loss(), run["pool_loss_after"].get<double>(), 1e-4);
  const auto after = step.weights();
  for (const std::string file_name : run["frozen"]) {
    const std::string name = weights::canonical_name(file_name).value();
    EXPECT_TRUE(at::equal(after.at(name), before.at(name))) << name << " is frozen";
  }
  const bool large = run["name"].get<std::string>().find("large") != std::string::npos;
  std::map<std::string, at::Tensor> found, wanted;
  for (const auto& [name, weight] :
       test::golden_weights(golden_train_dir() / "runs" / (file.stem().string() + ".safetensors"))) {
    found[name] = after.at(name) - before.at(name);
    wanted[name] = weight - before.at(name);
    if (large) {
      EXPECT_LE(test::relative_l2(found[name], wanted[name]), 5e-3) << name;
    }
  }
  EXPECT_LE(test::relative_l2(found, wanted), 2e-3);
  for (const auto& [file_name, norm] : run["update_l2_per_tensor"].items()) {
    const std::string name = weights::canonical_name(file_name).value();
    const double moved = (after.at(name) - before.at(name)).norm().item<double>();
    if (large) {
      EXPECT_NEAR(moved / norm.get<double>(), 1, 5e-3) << name;
    }
  }
}

TEST(GoldenTrain, TenStepRuns) {
  VL3_REQUIRE_GOLDEN_TRAIN();
  ASSERT_FALSE(runs().empty());
  for (const auto& file : runs()) {
    SCOPED_TRACE(file.stem().string());
    expect_run(file);
  }
}

TEST(GoldenTrain, LoraLossGradientsAndMerging) {
  VL3_REQUIRE_GOLDEN_TRAIN();
  const auto folder = golden_train_dir() / "lora";
  if (!std::filesystem::exists(folder / "lora.json")) GTEST_SKIP() << "no adapter in " << golden_train_dir();
  const Json golden = read("lora/lora.json");
  const AdapterFiles adapter = read_adapter(folder);
  EXPECT_EQ(adapter.tensors.size(), 2 * golden["adapters"].get<size_t>());
  TrainConfig config = everything_trains();
  config.lr = {.llm_lr = 1e-3, .mm_projector_lr = std::nullopt, .vision_encoder_lr = std::nullopt};
  config.lora = adapter.lora;
  const auto alone = single_process();
  TrainStep step(test::open_checkpoint(golden_train_dir() / "model"), config, 10, at::kCPU, *alone);
  step.load_adapter(adapter);
  const std::vector rows = {test::golden_row(golden["samples"], 1, golden["prune"], image_token())};
  TrainStep::Loss loss;
  const auto gradients = step.gradients(rows, &loss);
  EXPECT_EQ(loss.labelled_tokens, golden["labelled_tokens"].get<int64_t>());
  EXPECT_NEAR(loss.sum / static_cast<double>(loss.labelled_tokens), golden["loss"].get<double>(), 2e-5);
  std::map<std::string, at::Tensor> wanted;
  for (const auto& [name, tensor] : test::golden_weights(folder / "gradients.safetensors"))
    wanted[weights::canonical_name(name.substr(std::string("base_model.model.").size())).value()] = tensor;
  ASSERT_EQ(gradients.size(), wanted.size());
  EXPECT_LE(test::relative_l2(gradients, wanted), 5e-5);
  for (const auto& [name, tensor] : wanted)
    EXPECT_LE(test::relative_l2(gradients.at(name), tensor), 1e-4) << name;

  const auto merged = test::collected(step.merged_weights());
  const auto base = step.weights();
  EXPECT_EQ(merged.size(), base.size());
  size_t changed = 0;
  for (const auto& [name, weight] : merged) changed += at::equal(weight, base.at(name)) ? 0 : 1;
  EXPECT_EQ(changed, golden["adapters"].get<size_t>());
}

}  // namespace
}  // namespace vl3::train
