// Products with 8- and 4-bit weights on the shapes of VideoLLaMA3-2B, beside our bfloat16 product and
// libtorch's: at::linear in bfloat16 and oneDNN's int8 (`onednn::qlinear_pointwise`, whose inputs are rounded
// beforehand, so that it is charged with less than ours, which rounds its rows). Few rows read their weights
// from a ring larger than any cache. To hold libtorch to an older CPU: ONEDNN_MAX_CPU_ISA=AVX2 or
// AVX512_CORE.
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <functional>
#include <map>

#include "ops/linear.h"
#include "ops/quantised_product.h"
#include "ops/quantised_weight.h"

namespace {

using vl3::ops::QuantisedWeight;

using Product = std::function<at::Tensor(const at::Tensor& x)>;

struct Kind {
  const char* name;
  int bits;  // of a weight
  std::function<Product(int64_t O, int64_t I, int64_t rows)> make;
};

// Whole numbers of 4 bits as int8 [O, I]: the same for all that ask for one shape, for making them takes
// long.
const at::Tensor& numbers(int64_t O, int64_t I) {
  static std::map<std::pair<int64_t, int64_t>, at::Tensor> made;
  at::Tensor& found = made[{O, I}];
  if (!found.defined()) found = at::randint(-8, 8, {O, I}, at::kChar);
  return found;
}

QuantisedWeight random_weight(int64_t O, int64_t I, int bits, int64_t group) {
  if (bits == 8) return QuantisedWeight::int8(numbers(O, I), at::rand({O}) / 300);
  return QuantisedWeight::int4(numbers(O, I), at::rand({O, I / group}) / 300);
}

at::Tensor random_bf16(int64_t O, int64_t I) { return numbers(O, I).to(at::kBFloat16).mul_(0.004); }

Product ours(int64_t O, int64_t I, int bits, int64_t group) {
  return [w = random_weight(O, I, bits, group)](const at::Tensor& x) { return vl3::ops::linear(x, w); };
}

Product libtorch_int8(int64_t O, int64_t I, int64_t rows) {
  auto& dispatcher = c10::Dispatcher::singleton();
  static const auto prepack = dispatcher.findSchemaOrThrow("onednn::qlinear_prepack", "");
  static const auto pointwise = dispatcher.findSchemaOrThrow("onednn::qlinear_pointwise", "");
  c10::Stack stack = {numbers(O, I), std::vector<int64_t>{rows, I}};
  prepack.callBoxed(stack);
  const at::Tensor x = at::randint(0, 255, {rows, I}, at::kByte), w = stack[0].toTensor();
  return [=, scale = at::rand({O}), zero = at::zeros({O}, at::kLong)](const at::Tensor&) {
    c10::Stack call = {x,          1.0,        int64_t{128},  w,
                       scale,      zero,       c10::IValue(), 1.0,
                       int64_t{0}, at::kFloat, "none",        c10::List<std::optional<at::Scalar>>(),
                       ""};
    pointwise.callBoxed(call);
    return call[0].toTensor();
  };
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"vl3_int8", 8, [](int64_t O, int64_t I, int64_t) { return ours(O, I, 8, I); }},
      {"vl3_int4_128", 4, [](int64_t O, int64_t I, int64_t) { return ours(O, I, 4, 128); }},
      {"vl3_int4_32", 4, [](int64_t O, int64_t I, int64_t) { return ours(O, I, 4, 32); }},
      {"vl3_bf16", 16,
       [](int64_t O, int64_t I, int64_t) -> Product {
         return [w = random_bf16(O, I)](const at::Tensor& x) { return vl3::ops::linear(x, w); };
       }},
      {"libtorch_int8", 8, libtorch_int8},
      {"libtorch_bf16", 16,
       [](int64_t O, int64_t I, int64_t rows) -> Product {
         return [w = random_bf16(O, I), narrow = at::randn({rows, I}).to(at::kBFloat16)](const at::Tensor&) {
           return at::linear(narrow, w);
         };
       }},
      {"libtorch_f32", 32,
       [](int64_t O, int64_t I, int64_t) -> Product {
         return [w = numbers(O, I).to(at::kFloat)](const at::Tensor& x) { return at::linear(x, w); };
       }},
  };
  return all;
}

void count(benchmark::State& state, int64_t rows, int64_t O, int64_t I, int bits) {
  const auto calls = static_cast<double>(state.iterations());
  state.counters["GOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(rows * O * I) * calls, benchmark::Counter::kIsRate);
  state.counters["GB/s"] =
      benchmark::Counter(1e-9 * static_cast<double>(O * I) * bits / 8 * calls, benchmark::Counter::kIsRate);
}

void many_rows(benchmark::State& state, const Kind& kind, const std::string& path, int64_t rows, int64_t I,
               int64_t O) {
  const c10::InferenceMode inference;
  vl3::ops::force_quantised_path(path);
  const Product product = kind.make(O, I, rows);
  const at::Tensor x = at::randn({rows, I});
  for (auto _ : state) benchmark::DoNotOptimize(product(x));
  count(state, rows, O, I, kind.bits);
  vl3::ops::force_quantised_path("");
}

void few_rows(benchmark::State& state, const Kind& kind, const std::string& path, int64_t rows, int64_t I,
              int64_t O) {
  const c10::InferenceMode inference;
  vl3::ops::force_quantised_path(path);
  std::vector<Product> ring(static_cast<size_t>(int64_t{4'000'000'000} / (O * I * kind.bits)) + 1);
  for (Product& product : ring) product = kind.make(O, I, rows);
  const at::Tensor x = at::randn({rows, I});
  size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(ring[next++ % ring.size()](x));
  count(state, rows, O, I, kind.bits);
  vl3::ops::force_quantised_path("");
}

void swiglu(benchmark::State& state, int bits, int64_t rows) {
  const c10::InferenceMode inference;
  const int64_t D = 1536, H = 8960;
  const at::Tensor x = at::randn({rows, D});
  const auto run = [&](const auto& gate, const auto& up, const auto& down) {
    for (auto _ : state) benchmark::DoNotOptimize(vl3::ops::swiglu_mlp(x, gate, up, down));
  };
  if (bits == 16) {
    run(random_bf16(H, D), random_bf16(H, D), random_bf16(D, H));
  } else {
    run(random_weight(H, D, bits, 128), random_weight(H, D, bits, 128), random_weight(D, H, bits, 128));
  }
  count(state, rows, 3 * H, D, bits);
}

void gelu(benchmark::State& state, int bits, int64_t rows) {
  const c10::InferenceMode inference;
  const int64_t D = 1152, H = 4304;
  const at::Tensor x = at::randn({rows, D}), b1 = at::randn({H}), b2 = at::randn({D});
  const auto run = [&](const auto& w1, const auto& w2) {
    for (auto _ : state) benchmark::DoNotOptimize(vl3::ops::gelu_mlp(x, w1, b1, w2, b2));
  };
  if (bits == 16) {
    run(random_bf16(H, D), random_bf16(D, H));
  } else {
    run(random_weight(H, D, bits, 128), random_weight(D, H, bits, 128));
  }
  count(state, rows, 2 * H, D, bits);
}

std::string title(const std::string& kind, const std::string& path, int64_t rows, int64_t I, int64_t O) {
  return "quantised/" + kind + (path.empty() ? "" : "_" + path) + "/" + std::to_string(rows) + "x" +
         std::to_string(I) + "x" + std::to_string(O);
}

template <typename Run>
void add(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMillisecond);
}

const bool kRegistered = [] {
  constexpr std::array<std::array<int64_t, 3>, 5> kMany = {
      {{512, 1536, 1536}, {512, 1536, 8960}, {512, 8960, 1536}, {2240, 1152, 4304}, {2240, 4304, 1152}}};
  for (const std::array<int64_t, 3>& shape : kMany) {
    const int64_t rows = shape[0], I = shape[1], O = shape[2];
    for (const Kind& kind : kinds()) {
      if (kind.bits == 4 && I % 128 != 0) continue;
      add(title(kind.name, "", rows, I, O),
          [&kind, rows, I, O](benchmark::State& s) { many_rows(s, kind, "", rows, I, O); });
    }
  }
  for (const int64_t rows : {1, 4, 8}) {
    for (const Kind& kind : kinds()) {
      add(title(kind.name, "", rows, 1536, 8960),
          [&kind, rows](benchmark::State& s) { few_rows(s, kind, "", rows, 1536, 8960); });
    }
  }
  for (const std::string& path : vl3::ops::quantised_paths()) {
    for (const Kind& kind : {kinds()[0], kinds()[1]}) {
      add(title(kind.name, path, 512, 1536, 1536),
          [kind, path](benchmark::State& s) { many_rows(s, kind, path, 512, 1536, 1536); });
      add(title(kind.name, path, 1, 1536, 8960),
          [kind, path](benchmark::State& s) { few_rows(s, kind, path, 1, 1536, 8960); });
    }
  }
  for (const int bits : {8, 4, 16}) {
    for (const int64_t rows : {1, 512}) {
      add("quantised/swiglu_mlp_" + std::to_string(bits) + "bit/" + std::to_string(rows),
          [=](benchmark::State& s) { swiglu(s, bits, rows); });
    }
    if (bits != 4)
      add("quantised/gelu_mlp_" + std::to_string(bits) + "bit/2240",
          [=](benchmark::State& s) { gelu(s, bits, 2240); });
  }
  return true;
}();

}  // namespace
