// How far a quantised model's answers are from those of the model it was made of.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/runtime.h"
#include "quantize/module_plan.h"
#include "quantize/samples.h"

namespace vl3::quantize {

/// Over all positions of the reference's greedy answers, each with the reference's tokens before it.
struct Loss {
  double mean_kl = 0, max_kl = 0;  ///< of the next token's distribution, reference against quantised, in nats
  double agreement = 0;            ///< share of positions with the same likeliest token
  int64_t same_answers = 0;        ///< samples whose whole greedy answer is the same
};

/// What the original model says: greedy answers and their logits, in float32 arithmetic.
class Reference {
 public:
  /// @param step  called before each sample; may throw.
  Reference(const engine::Runtime& original, std::vector<Sample> samples, const std::function<void()>& step);

  /// @param runtime  of the same folder with another network.
  Loss loss_of(const engine::Runtime& runtime, const std::function<void()>& step) const;
  int64_t samples() const { return static_cast<int64_t>(samples_.size()); }
  int64_t positions() const;

 private:
  struct Answer {
    std::vector<int64_t> tokens;
    at::Tensor logits;  // [tokens, V]
  };
  std::vector<Sample> samples_;
  std::vector<Answer> answers_;
};

/// The original model with the matrices of some parts taken from the quantised checkpoint.
/// @param inputs  kExact: what rounding the weights alone costs.
std::shared_ptr<const engine::Runtime> with_parts(const engine::Runtime& original,
                                                  std::shared_ptr<const weights::Checkpoint> quantised,
                                                  const std::set<Part>& parts,
                                                  nn::PackedWeight::Inputs inputs);

/// Products of many rows in float32 arithmetic while one lives, whatever the CPU could do in bfloat16.
/// One thread at a time; they may be nested.
class Float32Products {
 public:
  Float32Products();
  ~Float32Products();
  Float32Products(const Float32Products&) = delete;
  Float32Products& operator=(const Float32Products&) = delete;
};

}  // namespace vl3::quantize
