#include "engine/prefill.h"

#include "engine/golden_model.h"
#include "support/tensors.h"

namespace vl3::engine {
namespace {

std::shared_ptr<const Runtime> tiny(const std::string& dtype) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  load.dtype = dtype;
  return Runtime::load(load);
}

// A prompt of several chunks gives what one pass over all rows gives.
TEST(Prefill, ChunksEqualOnePass) {
  const auto runtime = tiny("float32");
  std::string text;
  for (int i = 0; i < 400; ++i) text += fmt::format("word {} ", i);
  Request request = prepare_request(*runtime, {user_message({text_part(text)})}, {});
  lm::KvCache cache(runtime->config.text, 1, at::kFloat, at::kCPU);
  VisionCache no_cache(0);
  std::vector<at::Tensor> embeddings;
  PrefillHooks hooks;
  hooks.embeddings = [&](const at::Tensor& x) { embeddings.push_back(x); };
  const PrefillResult result = prefill(*runtime, request, cache, {}, no_cache, hooks, 0);
  ASSERT_GT(embeddings.size(), 1u) << "the text is too short for this test";

  const c10::InferenceMode inference;
  const at::Tensor all = at::cat(embeddings);
  lm::KvCache fresh(runtime->config.text, all.size(0), at::kFloat, at::kCPU);
  const lm::Segment segment{0, all.size(0), &fresh};
  const at::Tensor hidden = runtime->model->language_model->forward(all, {&segment, 1});
  EXPECT_TRUE(test::close(result.last_hidden_1D, hidden.narrow(0, hidden.size(0) - 1, 1), 1e-4));
}

TEST(Prefill, ProgressReachesItsTotalThoughTokensArePruned) {
  const auto runtime = tiny("float32");
  Request request = prepare_request(
      *runtime, {user_message({video_part(test::golden_media("clip.mp4")), text_part("What?")})}, {});
  const int64_t before_pruning = request.max_rows();
  lm::KvCache cache(runtime->config.text, 1, at::kFloat, at::kCPU);
  VisionCache no_cache(0);
  Progress last{};
  PrefillHooks hooks;
  hooks.progress = [&](const Progress& progress) {
    if (std::string_view(progress.stage) == "prefill") last = progress;
  };
  prefill(*runtime, request, cache, {}, no_cache, hooks, 0);
  EXPECT_EQ(last.done, cache.length());
  EXPECT_EQ(last.total, cache.length());
  EXPECT_LT(last.total, before_pruning);
}

TEST(Prefill, StopsWhenCancelled) {
  const auto runtime = tiny("float32");
  Request request = prepare_request(*runtime, {user_message({text_part("Hello")})}, {});
  lm::KvCache cache(runtime->config.text, 1, at::kFloat, at::kCPU);
  VisionCache no_cache(0);
  PrefillHooks hooks;
  hooks.cancelled = [] { return true; };
  EXPECT_EQ(test::error_of([&] { prefill(*runtime, request, cache, {}, no_cache, hooks, 0); }),
            "cancelled: cancelled");
}

TEST(Prefill, RefusesMoreThanTheContext) {
  const auto runtime = tiny("float32");
  std::string text(static_cast<size_t>(runtime->config.text.max_position_embeddings) * 3, '7');
  Request request = prepare_request(*runtime, {user_message({text_part(text)})}, {});
  lm::KvCache cache(runtime->config.text, 1, at::kFloat, at::kCPU);
  VisionCache no_cache(0);
  EXPECT_NE(
      test::error_of([&] { prefill(*runtime, request, cache, {}, no_cache, {}, 0); }).find("max_position"),
      std::string::npos);
  EXPECT_EQ(cache.length(), 0);
}

}  // namespace
}  // namespace vl3::engine
