#include "ops/fused_autograd.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/check.h"
#include "ops/parallel.h"
#include "ops/train_kernels.h"

namespace vl3::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 1 << 14;  // elements a thread takes at least
constexpr int64_t kPieceRows = 128;  // rows whose weight gradients are summed before the pieces are: the same
                                     // sum for any number of threads

template <typename T>
struct Element {};
template <>
struct Element<float> {
  using Stored = float;
};
template <>
struct Element<uint16_t> {
  using Stored = at::BFloat16;
};

template <typename T>
const T* read(const at::Tensor& tensor) {
  return static_cast<const T*>(
      static_cast<const void*>(tensor.const_data_ptr<typename Element<T>::Stored>()));
}
template <typename T>
T* write(at::Tensor& tensor) {
  return static_cast<T*>(static_cast<void*>(tensor.data_ptr<typename Element<T>::Stored>()));
}

template <typename Body>
void for_type(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kFloat) {
    body(float{});
  } else {
    body(uint16_t{});
  }
}

struct Normed {
  at::Tensor y, rstd;
};

Normed normed(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const int64_t D = x.size(-1), rows = x.numel() / D;
  Normed result{at::empty_like(x), at::empty({rows}, x.options().dtype(at::kFloat))};
  for_type(x, [&](auto zero) {
    using T = decltype(zero);
    const T *from = read<T>(x), *w = read<T>(weight);
    T* to = write<T>(result.y);
    float* scale = result.rstd.data_ptr<float>();
    parallel_for(0, rows, std::max<int64_t>(1, kGrain / D), [&](int64_t begin, int64_t end) {
      rms_norm_rows(from + begin * D, w, to + begin * D, scale + begin, end - begin, D,
                    static_cast<float>(eps));
    });
  });
  return result;
}

struct RmsNormNode : Function<RmsNormNode> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    Normed result = normed(x, weight, eps);
    context->save_for_backward({x, weight, result.rstd});
    return std::move(result.y);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rstd = saved[2], dy = grads[0].contiguous();
    const int64_t D = x.size(-1), rows = x.numel() / D, pieces = (rows + kPieceRows - 1) / kPieceRows;
    at::Tensor dx, dw;
    if (context->needs_input_grad(0)) dx = at::empty_like(x);
    if (context->needs_input_grad(1)) dw = at::zeros({pieces, D}, rstd.options());
    for_type(x, [&](auto zero) {
      using T = decltype(zero);
      const T *from = read<T>(x), *w = read<T>(weight), *g = read<T>(dy);
      T* to = dx.defined() ? write<T>(dx) : nullptr;
      const float* scale = rstd.const_data_ptr<float>();
      float* sums = dw.defined() ? dw.data_ptr<float>() : nullptr;
      parallel_for(0, pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t piece = begin; piece < end; ++piece) {
          const int64_t row = piece * kPieceRows, at = row * D;
          rms_norm_rows_backward(from + at, w, scale + row, g + at, to == nullptr ? nullptr : to + at,
                                 sums == nullptr ? nullptr : sums + piece * D,
                                 std::min(kPieceRows, rows - row), D);
        }
      });
    });
    if (dw.defined()) dw = dw.sum(0).to(weight.scalar_type());
    return {dx, dw, at::Tensor()};
  }
};

// x [..., S, heads, d] with the angles of S positions, repeated over the leading axes. @param y  may be x.
void turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float direction, at::Tensor& y) {
  const int64_t S = x.size(-3), heads = x.size(-2), half = x.size(-1) / 2,
                vectors = x.numel() / (heads * 2 * half);
  for_type(x, [&](auto zero) {
    using T = decltype(zero);
    const T* from = read<T>(x);
    T* to = write<T>(y);
    const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
    const int64_t width = heads * 2 * half;
    parallel_for(0, vectors, std::max<int64_t>(1, kGrain / width), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        rope_heads(from + i * width, c + i % S * half, s + i % S * half, to + i * width, heads, half,
                   direction);
    });
  });
}

at::Tensor turned(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float direction) {
  at::Tensor y = at::empty_like(x);
  turn(x, cos, sin, direction, y);
  return y;
}

struct RopeNode : Function<RopeNode> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turned(x, cos, sin, 1);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    return {turned(grads[0].contiguous(), saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

struct SwigluNode : Function<SwigluNode> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    context->save_for_backward({gate, up});
    at::Tensor h = at::empty_like(gate);
    for_type(gate, [&](auto zero) {
      using T = decltype(zero);
      const T *g = read<T>(gate), *u = read<T>(up);
      T* to = write<T>(h);
      parallel_for(0, gate.numel(), kGrain, [&](int64_t begin, int64_t end) {
        swiglu(g + begin, u + begin, to + begin, end - begin);
      });
    });
    return h;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor dh = grads[0].contiguous();
    at::Tensor dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[0]);
    for_type(dh, [&](auto zero) {
      using T = decltype(zero);
      const T *g = read<T>(saved[0]), *u = read<T>(saved[1]), *y = read<T>(dh);
      T *to_gate = write<T>(dgate), *to_up = write<T>(dup);
      parallel_for(0, dh.numel(), kGrain, [&](int64_t begin, int64_t end) {
        swiglu_backward(g + begin, u + begin, y + begin, to_gate + begin, to_up + begin, end - begin);
      });
    });
    return {dgate, dup};
  }
};

using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                std::string_view, c10::List<std::optional<at::Scalar>>,
                                std::optional<std::string_view>);

// x W^T + b of float32 through oneDNN; libtorch's own product where the build has none.
at::Tensor product(const at::Tensor& x_RI, const at::Tensor& weight_OI, const at::Tensor& bias) {
  static const auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  const std::optional<at::Tensor> b = bias.defined() ? std::optional(bias) : std::nullopt;
  if (!op) return at::linear(x_RI, weight_OI, b);
  static const auto call = op->typed<OneDnnLinear>();
  return call.call(x_RI, weight_OI, b, "none", c10::List<std::optional<at::Scalar>>(), "");
}

struct LinearNode : Function<LinearNode> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_RI, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x_RI, weight});
    context->saved_data["bias"] = bias.has_value();
    return product(x_RI, weight, bias.value_or(at::Tensor()));
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    at::Tensor dx, dw, db;
    const at::Tensor& dy = grads[0];
    if (context->needs_input_grad(0)) dx = product(dy, saved[1].t(), {});
    if (context->needs_input_grad(1)) dw = at::mm(dy.t(), saved[0]);
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) db = dy.sum(0);
    return {dx, dw, db};
  }
};

}  // namespace

bool fuses(const at::Tensor& x) {
  return (!c10::GradMode::is_enabled() || x.requires_grad()) && x.is_cpu() && x.is_contiguous() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

at::Tensor fused_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  VL3_DCHECK(weight.scalar_type() == x.scalar_type() && weight.is_contiguous() &&
             weight.size(0) == x.size(-1));
  return c10::GradMode::is_enabled() ? RmsNormNode::apply(x, weight, eps) : normed(x, weight, eps).y;
}

at::Tensor fused_rope(const at::Tensor& x, const RopeTable& table) {
  VL3_DCHECK(table.cos.size(0) == x.size(-3) && table.cos.size(1) * 2 == x.size(-1));
  const at::Tensor cos = table.cos.contiguous(), sin = table.sin.contiguous();
  return c10::GradMode::is_enabled() ? RopeNode::apply(x, cos, sin) : turned(x, cos, sin, 1);
}

at::Tensor fused_rope_in_place(at::Tensor x, const RopeTable& table) {
  if (c10::GradMode::is_enabled()) return fused_rope(x, table);
  VL3_DCHECK(table.cos.size(0) == x.size(-3) && table.cos.size(1) * 2 == x.size(-1));
  turn(x, table.cos.contiguous(), table.sin.contiguous(), 1, x);
  return x;
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  VL3_DCHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type());
  if (fuses(gate) && up.is_contiguous()) return SwigluNode::apply(gate, up);
  return at::silu(gate) * up;
}

at::Tensor fused_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return LinearNode::apply(x.reshape({-1, x.size(-1)}), weight,
                           bias.defined() ? std::optional(bias) : std::nullopt)
      .view(shape);
}

}  // namespace vl3::ops
