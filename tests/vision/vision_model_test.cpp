#include "vision/vision_model.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "engine/runtime.h"
#include "support/tensors.h"

// Letters: h, w patches of a frame, m merge, D hidden size.

namespace vl3::vision {
namespace {

class VisionModelTest : public testing::Test {
 protected:
  at::Tensor pixels(const FrameSize& size) const {
    const int64_t p = runtime_->config.vision.patch_size;
    return at::randn({size.h * size.w, 3 * p * p});
  }
  at::Tensor alone(const at::Tensor& pixels, const FrameSize& size) const {
    return model_->forward(pixels.unsqueeze(0), size.h, size.w, size.merge).squeeze(0);
  }

  std::shared_ptr<const engine::Runtime> runtime_ =
      engine::Runtime::load({.model = std::string(VL3_SOURCE_DIR) + "/tests/data/seeded_tiny",
                             .dtype = "float32",
                             .device = "cpu",
                             .flow = {}});
  VisionModel model_ = runtime_->model->vision_model;
};

TEST_F(VisionModelTest, FramesOfManySizesInOneRowEqualEachAlone) {
  torch::manual_seed(3);
  // Alike and not, of both merges, one above the length that is padded.
  const std::vector<FrameSize> sizes = {{4, 6, 1}, {6, 4, 2}, {4, 6, 2}, {2, 2, 2}, {24, 26, 1}, {4, 4, 1}};
  std::vector<at::Tensor> inputs, wanted;
  for (const FrameSize& size : sizes) {
    inputs.push_back(pixels(size).requires_grad_());
    wanted.push_back(alone(inputs.back(), size));
  }
  const at::Tensor found = model_->forward(at::cat(inputs), sizes);
  const at::Tensor expected = at::cat(wanted);
  ASSERT_EQ(found.sizes(), expected.sizes());
  EXPECT_TRUE(test::close(found, expected, 1e-4));
  const at::Tensor direction = at::randn(found.sizes());
  const auto gradient = [&](const at::Tensor& y) {
    return at::cat(torch::autograd::grad({(y * direction).sum()}, inputs));
  };
  const at::Tensor gradients = gradient(found), expected_gradients = gradient(expected);
  EXPECT_LT((gradients - expected_gradients).norm().item<double>(),
            1e-4 * expected_gradients.norm().item<double>());
}

TEST_F(VisionModelTest, AMergedTokenIsItsBlockResizedBilinearly) {
  torch::manual_seed(5);
  for (const int64_t m : {2, 3, 4}) {
    const int64_t h = 2 * m, w = 3 * m;
    const at::Tensor input = pixels({h, w, m});
    at::Tensor patches;
    const auto observe = [&](const char* name, const at::Tensor& x) {
      if (std::string_view(name) == "post_layernorm") patches = x;
    };
    const at::Tensor found = model_->forward(input.unsqueeze(0), h, w, m, observe).squeeze(0);
    const at::Tensor grid_DHW =
        patches.view({h / m, w / m, m, m, -1}).permute({4, 0, 2, 1, 3}).reshape({1, -1, h, w});
    const at::Tensor wanted =
        at::upsample_bilinear2d(grid_DHW, {h / m, w / m}, /*align_corners=*/false).flatten(2).squeeze(0).t();
    EXPECT_TRUE(test::close(found, wanted, 1e-5)) << "merge " << m;
  }
}

}  // namespace
}  // namespace vl3::vision
