#include "nn/parameter_source.h"

#include "core/check.h"
#include "nn/mapped_tensor.h"

namespace vl3::nn {

CheckpointSource::CheckpointSource(std::shared_ptr<const weights::Checkpoint> checkpoint,
                                   at::ScalarType dtype, at::Device device)
    : checkpoint_(std::move(checkpoint)), dtype_(dtype), device_(device) {}

at::Tensor CheckpointSource::get(const std::string& name, at::IntArrayRef shape) {
  const weights::TensorView view = checkpoint_->view(name);
  VL3_CHECK(at::IntArrayRef(view.shape) == shape, kCorrupt, "{}: shape [{}], expected [{}]", name,
            fmt::join(view.shape, ", "), fmt::join(shape, ", "));
  // Nothing writes to a parameter outside training, which loads copies.
  const at::Tensor mapped = mapped_tensor(view, checkpoint_);
  if (mapped.scalar_type() == dtype_ && device_.is_cpu()) return view.aligned() ? mapped : mapped.clone();
  at::Tensor copy = mapped.to(device_, dtype_);
  checkpoint_->advise_dont_need(name);
  return copy;
}

}  // namespace vl3::nn
