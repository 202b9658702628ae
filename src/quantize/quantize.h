// `vl3 quantize`: a checkpoint in 8 or 4 bits with the loss that costs, measured before it is kept.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "quantize/module_plan.h"
#include "quantize/verdict.h"

namespace vl3::quantize {

struct Report;

struct Options {
  Bits bits;
  int64_t samples = 32;   ///< generated ones that calibration sees; half as many are held out to choose by
  int64_t measured = 24;  ///< others that the loss is measured on
  double max_kl = 0.05;   ///< mean logit KL of the whole model, nats; above it nothing is written
  double min_agreement = 0.9;  ///< of the likeliest tokens; below it nothing is written
  bool force = false;          ///< write all the same
  uint64_t max_shard_size = 5'000'000'000;
  uint64_t stats_bytes = 2ull << 30;  ///< memory for second moments; more memory, fewer passes
  /// What is being done, and how much of it; throws to stop.
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress;
  /// The report, before a loss above the limits is refused.
  std::function<void(const Report&)> judged = {};
};

/// Of one matrix. Errors are Frobenius norms relative to what they are errors of.
struct ModuleVerdict {
  Module module = {};
  std::string rounding = {};                 ///< the one chosen: "nearest", "clipped" or "gptq"
  std::map<std::string, double> tried = {};  ///< rounding -> error of the outputs on held-out inputs, or of
                                             ///< the weights where the matrix is only looked up
  double weight_error = 0;
  double output_error = 0;                 ///< of the outputs with exact inputs; 0 for a table
  double output_error_rounded_inputs = 0;  ///< with inputs in 8 bits as well
};

struct PartVerdict {
  std::string part;   ///< part_name(), or "all"
  Loss weights = {};  ///< only weights rounded
  Loss all = {};      ///< inputs as well: what is run
};

struct Report {
  std::string model;
  Options options;
  int64_t calibration_samples = 0, measured_samples = 0, measured_positions = 0;
  uint64_t bytes_before = 0, bytes_after = 0;
  std::vector<ModuleVerdict> modules;
  std::vector<PartVerdict> parts;  ///< each alone, then "all"
  const Loss& loss() const { return parts.back().all; }
  bool within_limits() const;
};

/// Writes the model folder `source` quantised as the new folder `out`, in the layout it has, with the report
/// as quantize.json. Norms, biases and the patch embedding stay as they are. `out` appears whole or not at
/// all. Memory: about the size of the result, and options.stats_bytes.
/// @throws Error(kInvalidArgument) for a model that is quantised already, for options out of range, and for a
///   loss above the limits without force: then the message has the loss, and nothing is written.
Report quantize_checkpoint(const std::filesystem::path& source, const std::filesystem::path& out,
                           const Options& options);

}  // namespace vl3::quantize
