#include "train/row_loss.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <algorithm>
#include <map>
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

// A row of three samples; what it has learned is exchanged for `labels` (position -> token) of the second
// one.
data::PackedRow with_labels(const std::map<int64_t, int64_t>& labels) {
  data::PackedRow row = test::random_row(5);
  std::fill(row.labels.begin(), row.labels.end(), data::kIgnoreIndex);
  row.answer_kinds = {{}, {"kind.a"}, {}};
  for (const auto& [position, token] : labels)
    row.labels[static_cast<size_t>(row.cu_seqlens[1] + position)] = token;
  return row;
}

TEST(RowLoss, AnAnswerIsRightWhenEveryTokenOfItIsTheLikeliest) {
  const test::TempDir folder;
  const auto checkpoint = test::random_model(folder / "model", /*tied=*/true);
  ParameterStore store(checkpoint, {}, {});
  const engine::VideoLlama3 model(store, checkpoint->config());
  const RowLoss loss(model, store, checkpoint->config(), {.loss_vocab_tile = 40, .recompute = false});

  // The likeliest token at a position is the one with the least loss, tried one by one.
  const auto likeliest = [&](int64_t position) {
    int64_t best = -1, right = -1;
    double least = 1e9;
    for (int64_t token = 0; token < checkpoint->config().text.vocab_size; ++token) {
      const auto result = loss.forward(with_labels({{position, token}}));
      const auto sum = result.sum.item<double>();
      if (sum < least) least = sum, best = token;
      if (result.answers.at("kind.a").right == 0) continue;
      EXPECT_EQ(right, -1) << "two likeliest tokens";
      right = token;
    }
    EXPECT_EQ(right, best);
    return best;
  };
  const int64_t first = likeliest(2), second = likeliest(3);
  const auto score = [&](const std::map<int64_t, int64_t>& labels) {
    const AnswerScore found = loss.forward(with_labels(labels)).answers.at("kind.a");
    EXPECT_EQ(found.asked, 1);
    return found.right;
  };
  EXPECT_EQ(score({{2, first}, {3, second}}), 1);
  EXPECT_EQ(score({{2, first}, {3, second == 0 ? 1 : 0}}), 0);
  EXPECT_EQ(score({{2, first == 0 ? 1 : 0}, {3, second}}), 0);
}

// Every shape that an operation gave back.
std::vector<std::vector<int64_t>> shapes;
void note_shapes(const at::RecordFunction& function, at::ObserverContext*) {
  for (const c10::IValue& value : function.outputs()) {
    if (value.isTensor() && value.toTensor().defined()) shapes.push_back(value.toTensor().sizes().vec());
  }
}

TEST(RowLoss, LogitsOfAllWordsNeverExist) {
  const test::TempDir folder;
  const auto checkpoint = test::random_model(folder / "model", /*tied=*/true);
  ParameterStore store(checkpoint, {}, {});
  const engine::VideoLlama3 model(store, checkpoint->config());
  const data::PackedRow row = with_labels({{2, 3}, {3, 3}});
  const int64_t V = checkpoint->config().text.vocab_size;
  for (const int64_t tile : {int64_t{40}, V}) {
    const RowLoss loss(model, store, checkpoint->config(), {.loss_vocab_tile = tile, .recompute = false});
    shapes.clear();
    const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(nullptr, note_shapes)
                                                       .needsOutputs(true)
                                                       .scopes({at::RecordScope::FUNCTION}));
    EXPECT_EQ(loss.forward(row).answers.at("kind.a").asked, 1);
    at::removeCallback(handle);
    EXPECT_GT(shapes.size(), 100u);
    const bool whole = std::ranges::any_of(shapes, [&](const auto& shape) {
      return shape == std::vector<int64_t>{2, V};
    });
    EXPECT_EQ(whole, tile == V) << "tile " << tile;
  }
}

TEST(RowLoss, AnswersOfUnknownKindAreNotCounted) {
  const test::TempDir folder;
  const auto checkpoint = test::random_model(folder / "model", /*tied=*/true);
  ParameterStore store(checkpoint, {}, {});
  const engine::VideoLlama3 model(store, checkpoint->config());
  const RowLoss loss(model, store, checkpoint->config(), {.loss_vocab_tile = 40, .recompute = false});
  EXPECT_TRUE(loss.forward(test::random_row(5)).answers.empty());
  // Two runs of labels, but one kind: which answer is which is not known.
  EXPECT_TRUE(loss.forward(with_labels({{1, 3}, {3, 3}})).answers.empty());
}

}  // namespace
}  // namespace vl3::train
