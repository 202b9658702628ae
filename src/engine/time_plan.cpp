#include "engine/time_plan.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "core/seconds.h"
#include "lm/kv_cache.h"
#include "nn/modules.h"
#include "ops/attention.h"
#include "preprocess/patchify.h"

// Letters: R rows, D hidden size, F columns of the MLP, H heads, KV key/value heads, S queries, L keys, d
// head dim.

namespace vl3::engine {
namespace {

constexpr double kDecodeSeconds = 0.5;  // of measuring, a video
constexpr int64_t kDecodeFrames = 24;
constexpr double kStillPixelsPerSecond =
    40e6;  // decoding and resizing a picture; formats differ by a factor of two

// What is measured: enough for a product to run at its usual speed, little enough for tens of milliseconds.
constexpr int64_t kRows = 512;  // as prefill() chunks
constexpr int64_t kColumns = 2048;
constexpr int64_t kEncoderHeads = 8, kEncoderKeys = 1024, kDecoderKeys = 2048;
// The first run starts threads and makes kernels; short ones are repeated.
constexpr int kLeastRuns = 2, kMostRuns = 5;
constexpr double kRunSeconds = 0.05;
constexpr double kBeyondCaches = 128 << 20;  // bytes that no cache keeps from one token to the next

using Clock = std::chrono::steady_clock;

// Operations a second of `work`, which does so many of them.
double measured_rate(double operations, const std::function<at::Tensor()>& work) {
  double best = 0, spent = 0;
  for (int run = 0; run < kMostRuns && (run < kLeastRuns || spent < kRunSeconds); ++run) {
    const auto start = Clock::now();
    work().as_strided({1}, {1}).to(at::kCPU);  // one number of the result: waits for the device
    const double seconds = seconds_since(start);
    best = std::max(best, operations / seconds);
    spent += seconds;
  }
  return best;
}

// Made-up numbers in the place of parameters, stored as the model's own of the same names are.
class MadeUpSource : public nn::ParameterSource {
 public:
  /// @param constant  all alike: made in no time, where only reading them is measured
  explicit MadeUpSource(const Runtime& runtime, bool constant = false)
      : runtime_(runtime), constant_(constant) {}

  at::Tensor get(const std::string&, at::IntArrayRef shape) override {
    if (constant_) return at::full(shape, 0.01, at::dtype(runtime_.weight_dtype).device(runtime_.device));
    return at::randn(shape).to(runtime_.device, runtime_.weight_dtype);
  }

  std::shared_ptr<const nn::PackedWeight> packed(const std::string& name, at::IntArrayRef shape) override {
    if (!runtime_.packed_weights().contains(name)) return nullptr;
    const weights::QuantScheme scheme = runtime_.checkpoint->quantised(name)->scheme;
    const int64_t O = shape[0], I = shape[1];
    return std::make_shared<const nn::PackedWeight>(
        0, runtime_.weight_dtype, [scheme, O, I, constant = constant_] {
          const at::Tensor values =
              constant ? at::full({O, I}, 1, at::kChar) : at::randint(-7, 8, {O, I}, at::kChar);
          if (scheme.bits == 8) return ops::QuantisedWeight::int8(values, at::full({O}, 0.01f));
          return ops::QuantisedWeight::int4(values,
                                            at::full({O, scheme.group > 0 ? I / scheme.group : 1}, 0.01f));
        });
  }

  // Bytes of each number of the matrix of that name.
  double bytes_each(const std::string& name) const {
    const weights::QuantisedView* stored = runtime_.checkpoint->quantised(name);
    return stored != nullptr ? stored->scheme.bits / 8.0
                             : static_cast<double>(at::elementSize(runtime_.weight_dtype));
  }

  // Columns that an MLP of F is measured with: whole groups of the matrix that reads them.
  int64_t columns(const std::string& name, int64_t F) const {
    if (F <= kColumns) return F;
    const weights::QuantisedView* stored = runtime_.checkpoint->quantised(name);
    const int64_t group = stored == nullptr ? 0 : stored->scheme.group;
    return group > 0 ? kColumns / group * group : kColumns;
  }

  at::Tensor input(at::IntArrayRef shape) const {
    return at::randn(shape).to(runtime_.device, runtime_.activation_dtype);
  }

 private:
  const Runtime& runtime_;
  bool constant_;
};

// Operations of a whole request, and how many of them the machine does in a second.
struct Work {
  double products = 0, product_rate = 1;
  double attention = 0, attention_rate = 1;
  double seconds() const { return products / product_rate + attention / attention_rate; }
};

Work encoder_work(const Runtime& runtime, const preprocess::VisualPlan& plan) {
  const weights::VisionConfig& v = runtime.config.vision;
  const int64_t D = v.hidden_size;
  Work work;
  int64_t patches = 0, longest = 0;
  for (const preprocess::MediumPlan& medium : plan.media) {
    const int64_t frame = medium.grid.h * medium.grid.w;
    patches += medium.patches();
    longest = std::max(longest, frame);
    work.attention += 4.0 * v.num_hidden_layers * D * static_cast<double>(medium.patches()) * frame;
  }
  if (patches == 0) return work;
  work.products =
      2.0 * v.num_hidden_layers * static_cast<double>(patches) * D * (4 * D + 2 * v.intermediate_size);

  MadeUpSource source(runtime);
  const nn::Scope mlp(source, "model.vision_model.encoder.layers.0.mlp");
  const int64_t R = std::min(patches, kRows);
  const int64_t F = source.columns("model.vision_model.encoder.layers.0.mlp.fc2.weight", v.intermediate_size);
  const nn::Linear fc1(mlp / "fc1", D, F, true), fc2(mlp / "fc2", F, D, true);
  const at::Tensor x = source.input({R, D});
  work.product_rate = measured_rate(4.0 * R * D * F, [&] { return nn::gelu_mlp(x, *fc1, *fc2); });

  const int64_t S = std::min(longest, kEncoderKeys), H = std::min(v.num_attention_heads, kEncoderHeads);
  const int64_t d = D / v.num_attention_heads;
  const at::Tensor q = source.input({1, H, S, d});
  work.attention_rate = measured_rate(
      4.0 * H * S * S * d, [&] { return ops::full_attention(q, q, q, /*scale=*/0.1, runtime.weight_dtype); });
  return work;
}

Work decoder_work(const Runtime& runtime, int64_t rows) {
  const weights::TextConfig& t = runtime.config.text;
  const int64_t D = t.hidden_size, H = t.num_attention_heads, KV = t.num_key_value_heads, d = t.head_dim;
  Work work;
  const double layer = static_cast<double>(D) * (2 * H * d + 2 * KV * d + 3 * t.intermediate_size);
  work.products = 2.0 * static_cast<double>(rows) * t.num_hidden_layers * layer + 2.0 * D * t.vocab_size;
  // Causal: half of all pairs.
  work.attention = 2.0 * t.num_hidden_layers * H * d * static_cast<double>(rows) * static_cast<double>(rows);

  MadeUpSource source(runtime);
  const nn::Scope mlp(source, "model.language_model.layers.0.mlp");
  const int64_t R = std::min(rows, kRows);
  const int64_t F = source.columns("model.language_model.layers.0.mlp.down_proj.weight", t.intermediate_size);
  const nn::Linear gate(mlp / "gate_proj", D, F, false), up(mlp / "up_proj", D, F, false),
      down(mlp / "down_proj", F, D, false);
  const at::Tensor x = source.input({R, D});
  work.product_rate = measured_rate(6.0 * R * D * F, [&] { return nn::swiglu_mlp(x, *gate, *up, *down); });

  // A chunk after earlier ones, as most chunks of a long prompt are.
  const int64_t L = std::min(rows, kDecoderKeys);
  const at::Tensor q = source.input({H, R, d}), k = source.get("keys", {KV, L, d});
  work.attention_rate = measured_rate(4.0 * H * R * (static_cast<double>(L) - R / 2.0) * d,
                                      [&] { return ops::causal_attention(q, k, k, /*scale=*/0.1); });
  return work;
}

}  // namespace

double decode_seconds(const Runtime& runtime, const Request& request) {
  const auto start = Clock::now();
  double total = 0;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const double pixels = static_cast<double>(plan.shape.size.height * plan.shape.size.width);
    const auto frames = static_cast<double>(plan.grid.t);
    if (plan.shape.kind == preprocess::MediaKind::kImage) {
      total += pixels / kStillPixelsPerSecond;
      continue;
    }
    const double begin = seconds_since(start);
    const media::FrameSource source = request.media[m].open();
    double first = 0;
    int64_t done = 0;
    while (done < std::min(plan.grid.t, kDecodeFrames) &&
           (done < 2 || seconds_since(start) - begin < kDecodeSeconds)) {
      const std::optional<media::Frame> picture = source();
      if (!picture) break;
      preprocess::PatchBatch batch =
          preprocess::make_patch_batch(plan.size, runtime.config.preprocess.patch_size, plan.merge);
      preprocess::append_frame(batch, picture->rgb, {picture->height, picture->width});
      if (++done == 1) first = seconds_since(start) - begin;
    }
    // The first one pays for opening the decoder.
    const double rest = seconds_since(start) - begin - first;
    total += first + (done > 1 ? rest / static_cast<double>(done - 1) * (frames - 1) : 0);
  }
  return total;
}

double compute_seconds(const Runtime& runtime, const preprocess::VisualPlan& plan, int64_t rows) {
  const c10::InferenceMode inference;
  return encoder_work(runtime, plan).seconds() + decoder_work(runtime, rows).seconds();
}

double token_seconds(const Runtime& runtime, int64_t rows) {
  const c10::InferenceMode inference;
  const weights::TextConfig& t = runtime.config.text;
  const int64_t D = t.hidden_size, H = t.num_attention_heads, KV = t.num_key_value_heads, d = t.head_dim;
  const int64_t F = t.intermediate_size, layers = t.num_hidden_layers;
  MadeUpSource source(runtime, /*constant=*/true);
  const nn::Scope mlp(source, "model.language_model.layers.0.mlp");
  const double mlp_weights = 3.0 * static_cast<double>(D) * static_cast<double>(F);
  const double mlp_bytes =
      mlp_weights * source.bytes_each("model.language_model.layers.0.mlp.down_proj.weight");

  struct Mlp {
    nn::Linear gate, up, down;
  };
  std::vector<Mlp> mlps;
  const auto copies = std::min(layers, static_cast<int64_t>(kBeyondCaches / mlp_bytes) + 1);
  for (int64_t i = 0; i < copies; ++i)
    mlps.push_back({nn::Linear(mlp / "gate_proj", D, F, false), nn::Linear(mlp / "up_proj", D, F, false),
                    nn::Linear(mlp / "down_proj", F, D, false)});
  const at::Tensor x = source.input({1, D});
  const double per_second = measured_rate(static_cast<double>(copies), [&] {
    at::Tensor y;
    for (const Mlp& m : mlps) y = nn::swiglu_mlp(x, *m.gate, *m.up, *m.down);
    return y;
  });
  const double weights =
      static_cast<double>(layers) *
          (static_cast<double>(D) * static_cast<double>(2 * H * d + 2 * KV * d) + mlp_weights) +
      static_cast<double>(t.vocab_size) * static_cast<double>(D);
  const auto cache_bytes = static_cast<double>(lm::KvCache::bytes(t, rows, runtime.kv_dtype));
  return (weights / mlp_weights + cache_bytes / mlp_bytes) / per_second;
}

}  // namespace vl3::engine
