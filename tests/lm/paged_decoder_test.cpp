#include "lm/paged_decoder.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "engine/runtime.h"

namespace vl3::lm {
namespace {

std::shared_ptr<const engine::Runtime> load(const char* dtype) {
  return engine::Runtime::load({.model = std::string(VL3_SOURCE_DIR) + "/tests/data/seeded_tiny",
                                .dtype = dtype,
                                .device = "cpu",
                                .flow = {}});
}

TEST(PagedDecoder, EqualsTheDecoderWithAPlainCache) {
  const c10::InferenceMode inference;
  for (const auto& [dtype, tolerance] : {std::pair("float32", 2e-5), std::pair("bfloat16", 3e-2)}) {
    const auto runtime = load(dtype);
    const auto& text = runtime->config.text;
    PagedDecoder paged(*runtime->model->language_model, text, runtime->model->head(), runtime->weight_dtype,
                       8, 16);
    KvCache cache(text, 1, runtime->weight_dtype, at::kCPU);
    const std::vector<int32_t> pages = {5, 2, 7, 0};
    int64_t position = 0;
    for (const int64_t rows : {37, 1, 1, 12}) {
      const at::Tensor x = runtime->model->language_model->embed(at::randint(600, {rows}, at::kLong));
      const Segment segment{0, rows, &cache};
      const at::Tensor expected = runtime->model->language_model->forward(x.clone(), {&segment, 1});
      const PagedSegment own{0, rows, position, pages};
      const at::Tensor found = paged.forward(x.clone(), {&own, 1});
      EXPECT_LT((expected - found).abs().max().item<float>() / expected.abs().max().item<float>(), tolerance)
          << dtype;
      const at::Tensor logits = runtime->model->logits(expected), paged_logits = paged.logits(expected);
      EXPECT_LT((logits - paged_logits).abs().max().item<float>() / logits.abs().max().item<float>(),
                tolerance)
          << dtype;
      position += rows;
    }
  }
}

TEST(PagedDecoder, ARowDoesNotFeelTheOthers) {
  const c10::InferenceMode inference;
  const auto runtime = load("float32");
  const auto& text = runtime->config.text;
  const auto& model = *runtime->model->language_model;
  PagedDecoder decoder(model, text, runtime->model->head(), at::kFloat, 32, 16);
  const at::Tensor a = model.embed(at::randint(600, {23}, at::kLong)),
                   b = model.embed(at::randint(600, {41}, at::kLong));
  const std::vector<int32_t> pages_a = {0, 1}, pages_b = {2, 3, 4}, pages_c = {5, 6, 7};
  const PagedSegment alone{0, 41, 0, pages_b};
  const at::Tensor expected = decoder.forward(b.clone(), {&alone, 1});
  const std::vector<PagedSegment> both = {{0, 23, 0, pages_a}, {23, 64, 0, pages_c}};
  EXPECT_TRUE(decoder.forward(at::cat({a, b}), both).narrow(0, 23, 41).equal(expected));
  const std::vector<int32_t> pages_d = {8, 9, 10};
  std::vector<at::Tensor> pieces;
  int64_t done = 0;
  for (const int64_t rows : {1, 17, 1, 1, 21}) {
    const PagedSegment piece{0, rows, done, pages_d};
    pieces.push_back(decoder.forward(b.narrow(0, done, rows).clone(), {&piece, 1}));
    done += rows;
  }
  EXPECT_TRUE(at::cat(pieces).equal(expected));
}

}  // namespace
}  // namespace vl3::lm
