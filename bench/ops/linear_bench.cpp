// bfloat16 weights on the CPU: ops::linear beside libtorch's own product. Weights come from a ring larger
// than any cache.
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>
#include <sys/mman.h>

#include "ops/linear.h"

namespace {

constexpr int64_t kIn = 1536, kOut = 8960, kLayers = 24;  // 660 MB

const std::vector<at::Tensor>& ring(bool huge_pages) {
  static std::map<bool, std::vector<at::Tensor>> rings;
  std::vector<at::Tensor>& layers = rings[huge_pages];
  if (layers.empty()) {
    const size_t bytes = kLayers * kIn * kOut * 2;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (int64_t i = 0; i < kLayers; ++i) {
      layers.push_back(
          at::from_blob(static_cast<char*>(memory) + i * kIn * kOut * 2, {kOut, kIn}, at::kBFloat16));
      layers.back().copy_(at::randn({kOut, kIn}));
    }
  }
  return layers;
}

template <typename Product>
void run(benchmark::State& state, bool huge_pages, const at::Tensor& x, const Product& product) {
  const c10::InferenceMode inference;
  const std::vector<at::Tensor>& layers = ring(huge_pages);
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(product(x, layers[next++ % layers.size()]));
  state.SetBytesProcessed(state.iterations() * kIn * kOut * 2);
  state.counters["GFLOP/s"] = benchmark::Counter(
      2.0 * static_cast<double>(x.size(0) * kIn * kOut) * static_cast<double>(state.iterations()) * 1e-9,
      benchmark::Counter::kIsRate);
}

void vl3_linear(benchmark::State& state) {
  run(state, state.range(1) != 0, at::randn({state.range(0), kIn}),
      [](const at::Tensor& x, const at::Tensor& w) { return vl3::ops::linear(x, w); });
}

void libtorch_linear(benchmark::State& state) {
  run(state, state.range(1) != 0, at::randn({state.range(0), kIn}).to(at::kBFloat16),
      [](const at::Tensor& x, const at::Tensor& w) { return at::linear(x, w); });
}

BENCHMARK(vl3_linear)
    ->ArgNames({"rows", "huge"})
    ->ArgsProduct({{1, 4, 8, 64, 512}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(libtorch_linear)
    ->ArgNames({"rows", "huge"})
    ->ArgsProduct({{1, 8, 64, 512}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
