#include "engine/time_plan.h"

#include "engine/golden_model.h"
#include "engine/prefill.h"
#include "support/tensors.h"

namespace vl3::engine {
namespace {

class ComputeSeconds : public testing::TestWithParam<weights::DType> {};

// The products of bfloat16 weights used to be timed as those of float32, which is up to ten times slower.
TEST_P(ComputeSeconds, AreAboutWhatTheWorkThenTakes) {
  const test::TempDir dir;
  LoadOptions load;
  load.model = test::wide_model(dir, GetParam());
  const auto runtime = Runtime::load(load);
  ContentPart video = video_part(test::golden_media("clip.mp4"));
  video.fps = 10.0;
  const Conversation conversation = {user_message({video, text_part("What?")})};
  double predicted = 0, taken = 0;
  // Others may be at work on this machine.
  for (int attempt = 0; attempt < 5; ++attempt) {
    Request request = prepare_request(*runtime, conversation, {});
    predicted = compute_seconds(*runtime, request.plan, request.max_rows());
    lm::KvCache cache(runtime->config.text, 1, runtime->weight_dtype, at::kCPU);
    VisionCache no_cache(0);
    const PrefillResult result = prefill(*runtime, request, cache, {}, no_cache, {}, 0);
    taken = result.visual.encode + result.prefill_seconds;
    if (predicted < 3 * taken && taken < 3 * predicted) return;
  }
  FAIL() << "predicted " << predicted << " s, taken " << taken << " s";
}

INSTANTIATE_TEST_SUITE_P(DTypes, ComputeSeconds, testing::Values(weights::DType::kF32, weights::DType::kBF16),
                         [](const auto& test) {
                           return test.param == weights::DType::kF32 ? "float32" : "bfloat16";
                         });

TEST(TimePlan, GrowsWithTheWork) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  const auto runtime = Runtime::load(load);
  const auto seconds = [&](int64_t rows) { return compute_seconds(*runtime, {}, rows); };
  EXPECT_GT(seconds(20'000), 4 * seconds(1'000));
}

}  // namespace
}  // namespace vl3::engine
