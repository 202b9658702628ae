#include "lm/paged_decoder.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "engine/runtime.h"

namespace vl3::lm {
namespace {

std::shared_ptr<const engine::Runtime> load(const char* dtype, const char* kept_as = "auto") {
  return engine::Runtime::load({.model = std::string(VL3_SOURCE_DIR) + "/tests/data/seeded_tiny",
                                .dtype = dtype,
                                .kv_cache_dtype = kept_as,
                                .device = "cpu",
                                .flow = {}});
}

// In 8 bits the two may round a number to neighbouring steps.
TEST(PagedDecoder, EqualsTheDecoderWithAPlainCache) {
  const c10::InferenceMode inference;
  struct Case {
    const char *dtype, *cache;
    double tolerance;
  };
  for (const auto& [dtype, kept_as, tolerance] :
       {Case{"float32", "auto", 2e-5}, Case{"bfloat16", "auto", 3e-2}, Case{"float32", "int8", 1e-2}}) {
    const auto runtime = load(dtype, kept_as);
    const auto& text = runtime->config.text;
    PagedDecoder paged(*runtime->model->language_model, text, runtime->model->head(), runtime->kv_dtype, 8,
                       16);
    KvCache cache(text, 1, runtime->kv_dtype, at::kCPU);
    const std::vector<int32_t> pages = {5, 2, 7, 0};
    int64_t position = 0;
    for (const int64_t rows : {37, 1, 1, 12}) {
      const at::Tensor x = runtime->model->language_model->embed(at::randint(600, {rows}, at::kLong));
      const Segment segment{0, rows, &cache};
      const at::Tensor expected = runtime->model->language_model->forward(x.clone(), {&segment, 1});
      const PagedSegment own{0, rows, position, pages};
      const at::Tensor found = paged.forward(x.clone(), {&own, 1});
      EXPECT_LT((expected - found).abs().max().item<float>() / expected.abs().max().item<float>(), tolerance)
          << dtype << ", kept as " << kept_as;
      const at::Tensor logits = runtime->model->logits(expected), paged_logits = paged.logits(expected);
      EXPECT_LT((logits - paged_logits).abs().max().item<float>() / logits.abs().max().item<float>(),
                tolerance)
          << dtype << ", kept as " << kept_as;
      position += rows;
    }
  }
}

// What it costs: the same tokens through a cache of 8 bits and one of float32.
TEST(KvCache, Of8BitsIsCloseToFloat32AndAQuarterOfIt) {
  const c10::InferenceMode inference;
  const auto runtime = load("float32");
  const auto& text = runtime->config.text;
  KvCache wide(text, 1, at::kFloat, at::kCPU), narrow(text, 1, at::kChar, at::kCPU);
  const at::Tensor ids = at::randint(600, {60}, at::kLong);
  for (const auto& [first, rows] : {std::pair(0, 40), std::pair(40, 1), std::pair(41, 19)}) {
    const auto through = [&, first = first, rows = rows](KvCache& cache) {
      const Segment segment{0, rows, &cache};
      return runtime->model->language_model->forward(
          runtime->model->language_model->embed(ids.narrow(0, first, rows)), {&segment, 1});
    };
    const at::Tensor expected = through(wide), found = through(narrow);
    const float error = (expected - found).norm().item<float>() / expected.norm().item<float>();
    EXPECT_LT(error, 0.02F);
    EXPECT_GT(error, 0.0F);
  }
  const int64_t d = text.head_dim;
  EXPECT_EQ(KvCache::bytes(text, 100, at::kChar) * 4 * d, KvCache::bytes(text, 100, at::kFloat) * (d + 4));
}

TEST(PagedDecoder, ARowDoesNotFeelTheOthers) {
  const c10::InferenceMode inference;
  for (const char* kept_as : {"auto", "int8"}) {
    const auto runtime = load("float32", kept_as);
    const auto& text = runtime->config.text;
    const auto& model = *runtime->model->language_model;
    PagedDecoder decoder(model, text, runtime->model->head(), runtime->kv_dtype, 32, 16);
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
    EXPECT_TRUE(at::cat(pieces).equal(expected)) << kept_as;
  }
}

}  // namespace
}  // namespace vl3::lm
