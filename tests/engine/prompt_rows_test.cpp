#include "engine/prompt_rows.h"

#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/golden_model.h"

namespace vl3::engine {
namespace {

using Frames = std::vector<FrameFeatures>;

/// What became of a prompt with a video, given what is remembered of it.
struct Outcome {
  std::vector<int64_t> ids;
  std::vector<uint64_t> keys;
  at::Tensor rows;
  int64_t cached = 0;
  Frames put;
};

Outcome run(const Runtime& runtime, const std::shared_ptr<const Frames>& remembered) {
  const c10::InferenceMode inference;
  Request request = prepare_request(
      runtime, {user_message({video_part(test::golden_media("clip.mp4")), text_part("What?")})}, {});
  Outcome outcome;
  VisionMemory memory;
  memory.find = [&](const std::string&) { return remembered; };
  memory.put = [&](const std::string&, Frames frames) { outcome.put = std::move(frames); };
  PromptRows rows(runtime, request, memory, {});
  while (!rows.whole()) rows.advance(request.max_rows(), PromptRows::Wait::kForFrames);
  outcome.ids = rows.ids();
  outcome.keys = rows.keys();
  outcome.rows = rows.take(rows.held());
  outcome.cached = rows.cached_media;
  return outcome;
}

std::shared_ptr<const Frames> changed(Frames frames, const std::function<void(Frames&)>& change) {
  change(frames);
  return std::make_shared<const Frames>(std::move(frames));
}

// A file with fewer frames than the plan was read past its end, one of another width ended the server.
TEST(PromptRows, WhatIsRememberedMustFitThePlan) {
  LoadOptions load;
  load.model = test::golden_models("config.json").front();
  load.dtype = "float32";
  const auto runtime = Runtime::load(load);
  const Outcome fresh = run(*runtime, nullptr);
  ASSERT_GT(fresh.put.size(), 1u);
  EXPECT_EQ(fresh.cached, 0);

  const Outcome again = run(*runtime, std::make_shared<const Frames>(fresh.put));
  EXPECT_EQ(again.cached, 1);
  EXPECT_TRUE(again.put.empty());
  EXPECT_TRUE(again.rows.equal(fresh.rows));

  const int64_t D = runtime->config.text.hidden_size;
  const std::vector<std::pair<const char*, std::function<void(Frames&)>>> changes = {
      {"no frames", [](Frames& frames) { frames.clear(); }},
      {"fewer frames", [](Frames& frames) { frames.pop_back(); }},
      {"more frames", [](Frames& frames) { frames.push_back(frames.back()); }},
      {"another width",
       [&](Frames& frames) {
         for (FrameFeatures& frame : frames) frame.features_KD = at::zeros({frame.kept, D / 2});
       }},
      {"fewer rows than kept",
       [&](Frames& frames) {
         frames.back().features_KD = at::zeros({frames.back().kept - 1, D});
       }},
      {"more tokens a frame",
       [](Frames& frames) {
         for (FrameFeatures& frame : frames) frame.mask.push_back(0);
       }},
      {"kept is not what the mask says",
       [&](Frames& frames) {
         frames.front().features_KD = at::zeros({++frames.front().kept, D});
       }},
      {"a mask of other numbers", [](Frames& frames) { frames.front().mask.front() = 2; }},
      {"no tensor", [](Frames& frames) { frames.front().features_KD = at::Tensor(); }},
  };
  for (const auto& [what, change] : changes) {
    const Outcome outcome = run(*runtime, changed(fresh.put, change));
    EXPECT_EQ(outcome.cached, 0) << what;
    EXPECT_EQ(outcome.put.size(), fresh.put.size()) << what << ": encoded anew, and put in its place";
    EXPECT_EQ(outcome.ids, fresh.ids) << what;
    EXPECT_EQ(outcome.keys, fresh.keys) << what;
    EXPECT_TRUE(outcome.rows.equal(fresh.rows)) << what;
  }
}

}  // namespace
}  // namespace vl3::engine
