// Decoding one token against a long cache: the streaming kernel beside libtorch's attention over a widened
// copy. One picture in the encoder: our flash attention beside libtorch's in bfloat16.
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

constexpr int64_t kPatches = 2240, kEncoderHeads = 16, kEncoderDim = 72;

void encoder_attention(benchmark::State& state, at::ScalarType dtype) {
  const c10::InferenceMode inference;
  const auto heads = [&] {
    return at::randn({1, kPatches, kEncoderHeads, kEncoderDim}).to(dtype).transpose(1, 2);
  };
  const at::Tensor q = heads(), k = heads(), v = heads();
  for (auto _ : state) benchmark::DoNotOptimize(vl3::ops::full_attention(q, k, v, 0.1, at::kBFloat16));
  state.counters["GFLOP/s"] = benchmark::Counter(4.0 * kPatches * kPatches * kEncoderHeads * kEncoderDim *
                                                     static_cast<double>(state.iterations()) * 1e-9,
                                                 benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(encoder_attention, vl3, at::kFloat)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encoder_attention, libtorch, at::kBFloat16)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
