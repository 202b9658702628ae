#include "train/row_loss.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <set>

#include "train/gradient_sync.h"
#include "train/random_model.h"

namespace vl3::train {
namespace {

// Names of the nodes that backward of `loss` would run.
std::multiset<std::string> nodes_of(const at::Tensor& loss) {
  std::multiset<std::string> names;
  std::set<torch::autograd::Node*> seen;
  std::vector<torch::autograd::Node*> open;
  if (loss.grad_fn()) open.push_back(loss.grad_fn().get());
  while (!open.empty()) {
    torch::autograd::Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    names.insert(node->name());
    for (const auto& edge : node->next_edges()) {
      if (edge.function) open.push_back(edge.function.get());
    }
  }
  return names;
}

size_t sums_of_gradients(const std::multiset<std::string>& names) {
  size_t count = 0;
  for (const std::string& name : names) count += name.find("AccumulateGrad") != std::string::npos ? 1 : 0;
  return count;
}

bool has(const std::multiset<std::string>& names, const char* part) {
  for (const std::string& name : names) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST(RowLoss, FrozenPartsHaveNoBackwardWork) {
  const test::TempDir folder;
  const auto checkpoint = test::random_model(folder / "model", /*tied=*/true);
  const auto alone = single_process();
  for (const Part part : kParts) {
    SCOPED_TRACE(part_name(part));
    std::vector<Trainable> trainables;
    for (const auto& tensor : checkpoint->tensors()) {
      if (part_of(tensor.name) == part) trainables.push_back({tensor.name, tensor.shape});
    }
    ParameterStore store(checkpoint, trainables, {});
    const engine::VideoLlama3 model(store, checkpoint->config());
    const RowLoss loss(model, store, checkpoint->config(), {.loss_vocab_tile = 40, .recompute = false});
    const GradientSync sync(store, *alone);
    const auto result = loss.forward(test::random_row(1));
    const auto names = nodes_of(result.sum);
    EXPECT_EQ(sums_of_gradients(names), trainables.size())
        << "one sum a trained parameter, none for the others";
    EXPECT_EQ(has(names, "LayerNorm"), part == Part::kVisionEncoder) << "the encoder's graph";
    EXPECT_EQ(has(names, "Gelu"), part != Part::kLlm) << "the projector's graph";
    const auto text = loss.forward(test::random_row(1, /*text_only=*/true));
    EXPECT_EQ(text.sum.requires_grad(), part == Part::kLlm)
        << "a row without images trains the language model alone";
  }
}

}  // namespace
}  // namespace vl3::train
