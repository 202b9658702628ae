// A loaded model with everything a request needs: config, mapped weights, network, tokenizer, dtypes and
// device. Immutable after load; shared by sessions.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/model.h"
#include "sampling/constraint.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"

namespace vl3::engine {

struct LoadOptions {
  std::filesystem::path model;          ///< folder with config.json
  std::string dtype = "auto";           ///< "auto" = the checkpoint's; "float32", "bfloat16"
  std::string kv_cache_dtype = "auto";  ///< "auto" = of the weights; "int8", on the CPU
  std::string device = "cpu";           ///< "cpu", "cuda", "cuda:N"
  std::optional<Flow> flow;             ///< unset: the layout's own
};

class Runtime {
 public:
  /// @throws Error from config and weights; Error(kInvalidArgument) for a dtype or device there is not.
  static std::shared_ptr<const Runtime> load(const LoadOptions& options);

  /// The same folder with another network in the place of its own, to measure one against the other.
  /// @param weights_as  dtype of the network's plain parameters and of the KV cache.
  std::shared_ptr<const Runtime> with_network(VideoLlama3 network, at::ScalarType weights_as) const;

  weights::ModelConfig config;
  std::shared_ptr<const weights::Checkpoint> checkpoint;
  VideoLlama3 model;
  at::Device device;
  at::ScalarType weight_dtype;      ///< of plain parameters
  at::ScalarType kv_dtype;          ///< of the KV cache: weight_dtype, or int8 (kChar)
  at::ScalarType activation_dtype;  ///< float32 on the CPU, else weight_dtype
  double load_seconds = 0;

  /// Whether plain parameters are views of the checkpoint's files, not copies.
  bool weights_are_mapped() const;
  /// Quantised matrices, packed at their first use, under their canonical names.
  const std::map<std::string, std::shared_ptr<const nn::PackedWeight>>& packed_weights() const {
    return packed_;
  }

  /// What the process held before this model's first request was worked on, in bytes: libraries, converted
  /// weights, tokenizer; neither the mapped weights that requests touch nor what an earlier one has left.
  /// Measured at the first call, the same ever after.
  /// @param of_request  what the request in hand holds already.
  uint64_t bytes_before_requests(uint64_t of_request) const;

  /// Read at the first call. @throws as text::Tokenizer::load().
  const text::Tokenizer& tokenizer() const;

  /// Puts the weights that every new token reads into huge pages: about a second for a 2B model, once. Later
  /// calls and models that are not mapped return at once; so does a machine that is short of memory. Safe to
  /// call while other sessions run.
  void prepare_decoding() const;

  /// The compiler of constraints for this tokenizer; made at the first call.
  const sampling::Constraint& constraint() const;

 private:
  Runtime(weights::ModelConfig loaded, std::shared_ptr<const weights::Checkpoint> opened, VideoLlama3 network,
          at::Device on, at::ScalarType weights_as);

  std::map<std::string, std::shared_ptr<const nn::PackedWeight>> packed_;
  mutable std::once_flag tokenizer_read_, constraint_made_, decoding_prepared_, bytes_measured_;
  mutable uint64_t bytes_before_requests_ = 0;
  mutable std::optional<text::Tokenizer> tokenizer_;
  mutable std::unique_ptr<const sampling::Constraint> constraint_;
};

}  // namespace vl3::engine
