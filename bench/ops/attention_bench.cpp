// Decoding one token against a long cache: the streaming kernel beside libtorch's attention over a widened
// copy.
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include "ops/attention.h"

namespace {

constexpr int64_t kHeads = 12, kKvHeads = 2, kDim = 128;

void vl3_decode_attention(benchmark::State& state) {
  const c10::InferenceMode inference;
  const at::Tensor q = at::randn({kHeads, 1, kDim});
  const at::Tensor k = at::randn({kKvHeads, state.range(0), kDim}).to(at::kBFloat16), v = k.clone();
  for (auto _ : state) benchmark::DoNotOptimize(vl3::ops::causal_attention(q, k, v, 0.1));
}

void libtorch_decode_attention(benchmark::State& state) {
  const c10::InferenceMode inference;
  const at::Tensor q = at::randn({1, kHeads, 1, kDim});
  const at::Tensor k = at::randn({kKvHeads, state.range(0), kDim}).to(at::kBFloat16), v = k.clone();
  const auto heads = [](const at::Tensor& x) {
    return x.to(at::kFloat).repeat_interleave(kHeads / kKvHeads, 0).unsqueeze(0);
  };
  for (auto _ : state)
    benchmark::DoNotOptimize(at::scaled_dot_product_attention(q, heads(k), heads(v), {}, 0.0, false, 0.1));
}

BENCHMARK(vl3_decode_attention)
    ->ArgName("keys")
    ->Arg(512)
    ->Arg(4096)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(libtorch_decode_attention)
    ->ArgName("keys")
    ->Arg(512)
    ->Arg(4096)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
