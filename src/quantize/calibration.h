// What the matrices of a model are multiplied with, on generated samples.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/runtime.h"
#include "quantize/module_plan.h"
#include "quantize/samples.h"

namespace vl3::quantize {

/// Of one matrix with I inputs.
struct InputStats {
  at::Tensor mean_square;    ///< float32 [I]
  at::Tensor second_moment;  ///< float32 [I, I], mean of x x^T; undefined where it was not asked for
  at::Tensor held_out;       ///< float32 [n, I]: inputs of samples that the two above have not seen
};

/// Linears with the same inputs have the same key ("….q_proj.weight" for q, k and v).
std::string inputs_key(const std::string& weight);

/// Bytes that a module's statistics take while they are gathered.
uint64_t stats_bytes(const Module& module);

/// Runs the samples through the model. @param modules  whose inputs are wanted; those with 4 bits get a
/// second moment. @param seen, held_out  samples. @param step  called before each sample; may throw.
/// @return by inputs_key(). A matrix that no sample reached is not in it.
std::map<std::string, InputStats> gather_stats(const engine::Runtime& runtime,
                                               const std::vector<Module>& modules,
                                               const std::vector<Sample>& seen,
                                               const std::vector<Sample>& held_out,
                                               const std::function<void()>& step);

}  // namespace vl3::quantize
