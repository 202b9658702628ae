// Milliseconds of each step from a decoded frame to patches and mask, beside the plain forms that are the
// tests' oracles. One thread.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "preprocess/compression_mask.h"
#include "preprocess/normalise.h"
#include "preprocess/patchify.h"
#include "preprocess/resize.h"
#include "preprocess/token_difference.h"

namespace vl3::preprocess {
namespace {

std::vector<uint8_t> noise(int64_t bytes) {
  std::mt19937 random(1);
  std::vector<uint8_t> values(static_cast<size_t>(bytes));
  for (uint8_t& value : values) value = static_cast<uint8_t>(random());
  return values;
}

Size size_at(const benchmark::State& state, int index) {
  return {state.range(index), state.range(index + 1)};
}

void resize(benchmark::State& state) {
  const Size in = size_at(state, 0);
  const Size out = size_at(state, 2);
  const std::vector<uint8_t> rgb = noise(in.height * in.width * 3);
  std::vector<uint8_t> resized(static_cast<size_t>(out.height * out.width * 3));
  for (auto _ : state) {
    resize_bicubic(rgb, in, resized, out);
    benchmark::DoNotOptimize(resized.data());
  }
}
BENCHMARK(resize)
    ->Unit(benchmark::kMillisecond)
    ->Args({1080, 1920, 560, 980})
    ->Args({1080, 1920, 196, 336})
    ->Args({720, 1280, 196, 336})
    ->Args({2160, 3840, 1344, 2380})
    ->Args({240, 320, 560, 756});

void resize_plain(benchmark::State& state) {
  const Size in = size_at(state, 0);
  const Size out = size_at(state, 2);
  const std::vector<uint8_t> rgb = noise(in.height * in.width * 3);
  for (auto _ : state) benchmark::DoNotOptimize(resize_bicubic_plain(rgb, in, out));
}
BENCHMARK(resize_plain)->Unit(benchmark::kMillisecond)->Args({1080, 1920, 560, 980});

void patches(benchmark::State& state) {
  const Size size = size_at(state, 0);
  const std::vector<uint8_t> rgb = noise(size.height * size.width * 3);
  std::vector<uint8_t> rows(rgb.size());
  for (auto _ : state) {
    patchify(rgb, size, 14, state.range(2), rows);
    benchmark::DoNotOptimize(rows.data());
  }
}
BENCHMARK(patches)->Unit(benchmark::kMillisecond)->Args({560, 980, 1})->Args({560, 980, 2});

void floats(benchmark::State& state) {
  const std::vector<uint8_t> rows = noise(560 * 980 * 3);
  std::vector<float> values(rows.size());
  const NormaliseTable table = make_normalise_table({});
  for (auto _ : state) {
    normalise(rows, values, table, 14);
    benchmark::DoNotOptimize(values.data());
  }
}
BENCHMARK(floats)->Unit(benchmark::kMillisecond);

void prune(benchmark::State& state) {
  const int64_t tokens = 20 * 35;
  const std::vector<uint8_t> rows = noise(560 * 980 * 3);
  TokenPruner pruner({}, 2, tokens, {});
  for (auto _ : state) benchmark::DoNotOptimize(pruner.next(rows).data());
}
BENCHMARK(prune)->Unit(benchmark::kMillisecond);

template <uint32_t (*kSum)(const uint8_t*, const uint8_t*, int64_t)>
void token_sum(benchmark::State& state) {
  const std::vector<uint8_t> a = noise(2352);
  const std::vector<uint8_t> b(2352, 100);
  for (auto _ : state) benchmark::DoNotOptimize(kSum(a.data(), b.data(), 2352));
}
BENCHMARK(token_sum<sum_abs_differences>);
BENCHMARK(token_sum<sum_abs_differences_plain>);

}  // namespace
}  // namespace vl3::preprocess
