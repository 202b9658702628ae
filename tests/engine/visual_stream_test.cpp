#include "engine/visual_stream.h"

#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "engine/golden_model.h"
#include "engine/request.h"

namespace vl3::engine {
namespace {

struct Encoded {
  std::vector<FrameFeatures> frames;
  int64_t encoded = 0;
};

Encoded encode(const Runtime& runtime, const Request& request, int64_t batch_patches, bool observed) {
  const c10::InferenceMode inference;
  VisualObserver observer;
  if (observed) observer = [](const char*, size_t, int64_t, const at::Tensor&) {};
  VisualStream stream(*runtime.model, runtime.config.preprocess,
                      {{request.plan.media[0], request.media[0].open, request.options.prune}}, runtime.device,
                      runtime.activation_dtype, observer, nullptr, nullptr, batch_patches);
  Encoded result;
  for (int64_t t = 0; t < request.plan.media[0].grid.t; ++t) {
    const std::optional<FrameFeatures> frame = stream.next();
    if (!frame) break;
    result.frames.push_back(*frame);
  }
  result.encoded = stream.encoded();
  return result;
}

// A clip that stands still costs one pass of the encoder, wherever batches begin.
TEST(VisualStream, EncodesIdenticalFramesOnce) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "slides");
  int n = 0;
  for (const int picture : {0, 0, 0, 5, 5, 0, 9, 9, 9}) {
    std::filesystem::copy_file(test::golden_media(fmt::format("clip_all/{:04}.png", picture)),
                               dir / "slides" / fmt::format("{:04}.png", n++));
  }
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  load.dtype = "float32";
  const auto runtime = Runtime::load(load);
  for (const bool prunes : {true, false}) {
    RequestOptions options;
    options.prune.enabled = prunes;
    ContentPart slides = video_part((dir / "slides").string());
    slides.fps = 3;  // the rate of a folder: all of them
    const Request request = prepare_request(*runtime, {user_message({slides, text_part("What?")})}, options);
    ASSERT_EQ(request.plan.media[0].grid.t, 9);
    const Encoded each = encode(*runtime, request, VisualStream::kBatchPatches, /*observed=*/true);
    EXPECT_EQ(each.encoded, 9);
    const int64_t patches = request.plan.media[0].grid.h * request.plan.media[0].grid.w;
    for (const int64_t batch : {int64_t{1}, 2 * patches, 4 * patches, VisualStream::kBatchPatches}) {
      SCOPED_TRACE(batch);
      const Encoded once = encode(*runtime, request, batch, /*observed=*/false);
      EXPECT_EQ(once.encoded, 4);
      ASSERT_EQ(once.frames.size(), each.frames.size());
      for (size_t i = 0; i < once.frames.size(); ++i) {
        EXPECT_EQ(once.frames[i].frame, static_cast<int64_t>(i));
        EXPECT_EQ(once.frames[i].mask, each.frames[i].mask);
        EXPECT_TRUE(at::allclose(once.frames[i].features_KD, each.frames[i].features_KD, 1e-5, 1e-5)) << i;
      }
      if (!prunes) {
        EXPECT_TRUE(once.frames[1].features_KD.equal(once.frames[0].features_KD));
      }
    }
  }
}

}  // namespace
}  // namespace vl3::engine
