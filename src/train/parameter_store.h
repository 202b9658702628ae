// The weights that train, laid out in flat buckets, with float32 sums of their gradients; frozen weights come
// from the checkpoint as they are. A model built from this source computes with views of the buckets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/parameter_source.h"
#include "train/parts.h"
#include "weights/checkpoint.h"

namespace vl3::train {

/// How a bucket is updated.
enum class Rule { kAdamW, kMuon };

struct Parameter {
  std::string name;  ///< canonical; an adapter's ends in ".lora_A.weight" or ".lora_B.weight"
  std::vector<int64_t> shape;
  size_t bucket = 0;
  int64_t offset = 0;  ///< in the bucket
  int64_t numel = 0;
  at::Tensor weight;    ///< of the compute dtype, a part of the bucket's `weights`; what the model holds
  at::Tensor grad_sum;  ///< float32, a part of the bucket's `grads`, of the parameter's shape
  /// The gradient is added to grad_sum by the operation itself (embedding table, output head); autograd
  /// returns none.
  bool direct = false;
};

/// A run of parameters of one part, decay and rule; padded so that every process owns an equal share.
struct Bucket {
  Part part = Part::kLlm;
  bool decays = true;
  Rule rule = Rule::kAdamW;
  bool direct = false;
  std::vector<size_t> parameters;  ///< indices
  int64_t size = 0;                ///< elements with padding
  at::Tensor weights;              ///< [size], compute dtype
  at::Tensor grads;                ///< [size], float32
};

struct StoreOptions {
  at::ScalarType dtype = at::kFloat;  ///< of compute
  at::Device device = at::kCPU;
  int64_t shares = 1;  ///< processes that a bucket is divided among
  bool muon = false;
  int64_t bucket_elements = 8 << 20;  ///< a bucket is closed when it has that many
};

/// A parameter to train.
struct Trainable {
  std::string name;
  std::vector<int64_t> shape;
};

class ParameterStore : public nn::ParameterSource {
 public:
  /// @param trainables  in the order of the data flow; buckets are laid out against it, as backward will fill
  /// them.
  ParameterStore(std::shared_ptr<const weights::Checkpoint> checkpoint,
                 const std::vector<Trainable>& trainables, const StoreOptions& options);

  /// A trainable parameter is a view of its bucket, filled from the checkpoint; a frozen one is the
  /// checkpoint's.
  at::Tensor get(const std::string& name, at::IntArrayRef shape) override;

  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::vector<Bucket>& buckets() { return buckets_; }
  const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Null for a frozen or unknown name.
  Parameter* find(const std::string& name);
  const StoreOptions& options() const { return options_; }

 private:
  /// Parameters into buckets. @param last_place  of each bucket: where in the data flow the parameter stands
  /// whose gradient comes last.
  void lay_out(const std::vector<Trainable>& trainables, std::vector<size_t>* last_place);
  /// Into the order in which backward completes them; direct ones end with backward itself.
  void order_buckets(const std::vector<size_t>& last_place);
  void allocate();

  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  nn::CheckpointSource frozen_;
  StoreOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<Bucket> buckets_;
  std::map<std::string, size_t> index_;
};

}  // namespace vl3::train
