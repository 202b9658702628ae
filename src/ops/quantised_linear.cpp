#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "core/check.h"
#include "ops/parallel.h"
#include "ops/quantised_product.h"
#include "ops/quantised_weight.h"
#include "ops/thread_scratch.h"

namespace vl3::ops {
namespace {

constexpr int64_t kFewestRows = 128;                     // of a piece, where panels are cut by rows
constexpr int64_t kBlockRows = 512;                      // that meet all panels before the next ones
constexpr int64_t kMostRows = (kBlockRows + 5) / 6 * 6;  // of a piece: whole tiles
constexpr int64_t kMlpRows = 512;                        // whose hidden values exist at once
constexpr int64_t kWorth = 32768;                        // numbers that are worth a thread

// Uninitialised memory. Not a tensor: at one row a tensor's making costs more than what is done with it.
class Buffer {
 public:
  explicit Buffer(int64_t bytes)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(64, static_cast<size_t>(bytes / 64 + 1) * 64))) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  template <typename T>
  T* at(int64_t byte) const {
    return reinterpret_cast<T*>(memory_.get() + byte);
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
};

// Rows in 8 bits (in 16, where the kernels want that) for weights of one kind.
class RoundedRows {
 public:
  RoundedRows(int64_t most_rows, const QuantisedPanels& weight)
      : weight_(weight),
        stride_(rounded_stride(weight.I)),
        wide_(product_takes_wide()),
        values_(most_rows * stride_ * (wide_ ? 2 : 1)),
        correction_(most_rows * weight.groups() * 4),
        scale_(most_rows * 4) {}

  /// @param x  [rows, I]
  RowsInt8 round(const float* x, int64_t rows) const {
    const int64_t I = weight_.I, groups = weight_.groups();
    parallel_for(0, rows, std::max<int64_t>(1, kWorth / I), [&](int64_t begin, int64_t end) {
      const auto into = [&](auto* values) {
        round_rows(x + begin * I, end - begin, I, weight_.group, weight_.offset(), values + begin * stride_,
                   correction_.at<int32_t>(0) + begin * groups, scale_.at<float>(0) + begin);
      };
      wide_ ? into(values_.at<int16_t>(0)) : into(values_.at<int8_t>(0));
    });
    return {.stride = stride_,
            .values = wide_ ? nullptr : values_.at<int8_t>(0),
            .wide = wide_ ? values_.at<int16_t>(0) : nullptr,
            .correction = correction_.at<int32_t>(0),
            .scale = scale_.at<float>(0)};
  }

 private:
  const QuantisedPanels& weight_;
  int64_t stride_;
  bool wide_;
  Buffer values_, correction_, scale_;
};

int64_t scratch_of_a_piece(const QuantisedPanels& weight, int64_t rows) {
  return product_scratch(weight, std::min(rows, kMostRows));
}

// Calls body(panel, first row, end, scratch) for all of them on libtorch's threads. Few rows: each thread
// walks its share of the panels in order, one forward stream.
template <typename Body>
void over_panels(const QuantisedPanels& weight, int64_t rows, int64_t scratch_bytes, const Body& body) {
  const int64_t panels = weight.panels();
  const auto scratch = [&] { return reinterpret_cast<std::byte*>(thread_scratch(scratch_bytes / 4 + 1)); };
  if (rows < kQuantisedManyRows) {
    parallel_for(0, panels, std::max<int64_t>(1, kWorth / weight.panel_bytes()),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t p = begin; p < end; ++p) body(p, int64_t{0}, rows, scratch());
                 });
    return;
  }
  // Blocks of rows, all panels of one before the next: the rows stay in the second-level cache, and what is
  // written lies together. Lower ones where there are too few panels to occupy every thread evenly.
  const int64_t threads = at::get_num_threads();
  int64_t cuts = (rows + kBlockRows - 1) / kBlockRows;
  if (panels % threads != 0 && panels < 8 * threads) {
    const int64_t wanted = (8 * threads + panels - 1) / panels;
    cuts = std::max(cuts, std::min(wanted, std::max<int64_t>(1, rows / kFewestRows)));
  }
  const int64_t height = ((rows + cuts - 1) / cuts + 5) / 6 * 6;  // tiles of six rows
  parallel_items(panels * cuts, [&](int64_t i) {
    const int64_t first = i / panels * height;
    if (first < rows) body(i % panels, first, std::min(rows, first + height), scratch());
  });
}

struct Bias {
  explicit Bias(const at::Tensor& bias) {
    if (bias.defined()) wide = bias.to(at::kFloat).contiguous();
  }
  const float* data() const { return wide.defined() ? wide.const_data_ptr<float>() : nullptr; }
  at::Tensor wide;
};

// y [rows, O] of row stride O.
void product(const RowsInt8& x, int64_t rows, const QuantisedPanels& weight, const float* bias, float* y) {
  const QuantisedProduct p{weight, x, bias};
  over_panels(weight, rows, scratch_of_a_piece(weight, rows),
              [&](int64_t panel, int64_t begin, int64_t end, std::byte* scratch) {
                product_panel(p, panel, begin, end, y + begin * weight.O + panel * kPanelOutputs, weight.O,
                              scratch);
              });
}

at::Tensor checked_rows(const at::Tensor& x, const QuantisedWeight& weight) {
  VL3_CHECK(x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() > 0 && x.size(-1) == weight.in_features(),
            kInvalidArgument, "rows of {} values of type {}: expected {} of float32 on the CPU",
            x.dim() > 0 ? x.size(-1) : 0, c10::toString(x.scalar_type()), weight.in_features());
  VL3_CHECK(!(c10::GradMode::is_enabled() && x.requires_grad()), kUnsupported,
            "a quantised weight has no gradients: train the bfloat16 or float32 checkpoint");
  return x.reshape({-1, weight.in_features()}).contiguous();
}

at::Tensor empty_result(const at::Tensor& x, int64_t O) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = O;
  return at::empty(shape, x.options().requires_grad(false));
}

// y = down(hidden(x)), a block of rows at a time. @param hidden  hidden(rows in 8 bits, count, [count, H] to
// write)
template <typename Hidden>
at::Tensor mlp(const at::Tensor& x, const QuantisedWeight& first, const QuantisedWeight& last,
               const Bias& bias, const Hidden& hidden) {
  const at::Tensor rows = checked_rows(x, first);
  const int64_t M = rows.size(0), I = first.in_features(), H = first.out_features(), O = last.out_features();
  VL3_CHECK(last.in_features() == H, kInvalidArgument, "{} hidden values meet a weight of {} inputs", H,
            last.in_features());
  at::Tensor y = empty_result(x, O);
  const float* from = rows.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  const int64_t block = std::min(M, kMlpRows);
  const RoundedRows inputs(block, first.panels()), between(block, last.panels());
  const Buffer values(block * H * 4);
  for (int64_t m = 0; m < M; m += block) {
    const int64_t n = std::min(block, M - m);
    hidden(inputs.round(from + m * I, n), n, values.at<float>(0));
    product(between.round(values.at<float>(0), n), n, last.panels(), bias.data(), to + m * O);
  }
  return y;
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const QuantisedWeight& weight, const at::Tensor& bias) {
  const at::Tensor rows = checked_rows(x, weight);
  const int64_t M = rows.size(0);
  at::Tensor y = empty_result(x, weight.out_features());
  const RoundedRows rounded(M, weight.panels());
  product(rounded.round(rows.const_data_ptr<float>(), M), M, weight.panels(), Bias(bias).data(),
          y.data_ptr<float>());
  return y;
}

at::Tensor gelu_mlp(const at::Tensor& x, const QuantisedWeight& w1, const at::Tensor& b1,
                    const QuantisedWeight& w2, const at::Tensor& b2) {
  const Bias first(b1), last(b2);
  const QuantisedPanels& weight = w1.panels();
  return mlp(x, w1, w2, last, [&](const RowsInt8& inputs, int64_t rows, float* hidden) {
    const QuantisedProduct p{weight, inputs, first.data()};
    over_panels(weight, rows, scratch_of_a_piece(weight, rows),
                [&](int64_t panel, int64_t begin, int64_t end, std::byte* scratch) {
                  float* y = hidden + begin * weight.O + panel * kPanelOutputs;
                  product_panel(p, panel, begin, end, y, weight.O, scratch);
                  gelu_rows(y, end - begin, weight.width(panel), weight.O);
                });
  });
}

at::Tensor swiglu_mlp(const at::Tensor& x, const QuantisedWeight& gate, const QuantisedWeight& up,
                      const QuantisedWeight& down) {
  const QuantisedPanels& weight = gate.panels();
  const QuantisedPanels& second = up.panels();
  VL3_CHECK(second.O == weight.O && second.I == weight.I && second.bits == weight.bits &&
                second.group == weight.group,
            kInvalidArgument,
            "gate and up of {} and {} bits, {} and {} outputs: expected weights of one kind", weight.bits,
            second.bits, weight.O, second.O);
  return mlp(x, gate, down, Bias({}), [&](const RowsInt8& inputs, int64_t rows, float* hidden) {
    const QuantisedProduct gates{weight, inputs, nullptr}, ups{second, inputs, nullptr};
    const int64_t own = rows * kPanelOutputs * 4;  // the panel's part of `up`
    over_panels(weight, rows, own + scratch_of_a_piece(weight, rows),
                [&](int64_t panel, int64_t begin, int64_t end, std::byte* scratch) {
                  float* y = hidden + begin * weight.O + panel * kPanelOutputs;
                  auto* const u = reinterpret_cast<float*>(scratch);
                  product_panel(gates, panel, begin, end, y, weight.O, scratch + own);
                  product_panel(ups, panel, begin, end, u, kPanelOutputs, scratch + own);
                  swiglu_rows(y, u, end - begin, weight.width(panel), weight.O, kPanelOutputs);
                });
  });
}

}  // namespace vl3::ops
