#include "data/patch_samples.h"

#include <gtest/gtest.h>

#include "data/patch_labels.h"
#include "data/synth_list.h"
#include "support/temp_dir.h"

namespace vl3::data {
namespace {

DataConfig data_of(const test::TempDir& dir, const std::string& options) {
  dir.write("synth.json", options);
  DataConfig data;
  data.sources.emplace_back();
  data.sources.back().synth = (dir.path() / "synth.json").string();
  data.sources.back().synth_samples = 10;
  return data;
}

weights::PreprocessConfig preprocess() {
  weights::PreprocessConfig config;
  config.flow = Flow::kNative;
  return config;
}

TEST(PatchSamples, HasAPictureAndLabelsForEachPatch) {
  const test::TempDir dir;
  const DataConfig data = data_of(dir, R"({"seed": 3, "max_side": 112, "mixture": [{"kind": "scene"}]})");
  const SampleFunctions functions = patch_sample_functions(data, preprocess());
  const SynthList list(data.sources.front(), 0);
  int64_t asked = 0, of = 0;
  for (int64_t i = 0; i < 10; ++i) {
    const std::atomic<bool> cancelled = false;
    const Sample sample = functions.build(list.record(i), cancelled);
    ASSERT_EQ(sample.media.size(), 1u);
    const VisualMedium& medium = sample.media.front();
    const size_t patches = static_cast<size_t>(medium.grid.h * medium.grid.w);
    EXPECT_EQ(medium.grid.t, 1);
    EXPECT_EQ(medium.patches_u8.size() % patches, 0u);
    ASSERT_EQ(sample.labels.size(), patches * kPatchTasks);
    int64_t labelled = 0;
    for (size_t p = 0; p < patches; ++p) {
      const int64_t* task = sample.labels.data() + p * kPatchTasks;
      for (int t = 0; t < kPatchTasks; ++t) {
        EXPECT_TRUE(task[t] == kIgnoreIndex || (task[t] >= 0 && task[t] < kPatchClasses[t])) << t;
        labelled += task[t] != kIgnoreIndex;
      }
      asked += task[0] == 0;
      of += task[0] <= 0;
    }
    EXPECT_GT(labelled, 0);
    EXPECT_EQ(sample.labelled_tokens, labelled);
    EXPECT_EQ(functions.build(list.record(i), cancelled).labels, sample.labels)
        << "the same record, another sample";
  }
  EXPECT_NEAR(static_cast<double>(asked) / static_cast<double>(of), 1.0 / 6, 0.05) << "of the empty patches";
}

TEST(PatchSamples, TakesSingleGeneratedPicturesOnly) {
  const test::TempDir dir;
  const auto error = [&](const DataConfig& data) {
    try {
      patch_sample_functions(data, preprocess());
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(error(data_of(dir, R"({"mixture": [{"kind": "video.first"}]})"))
                .find("takes single images, not video; choose"),
            std::string::npos)
      << error(data_of(dir, R"({"mixture": [{"kind": "video.first"}]})"));
  DataConfig files;
  files.sources.emplace_back();
  files.sources.back().data_path = {"a.jsonl"};
  EXPECT_NE(error(files).find("generated pictures only"), std::string::npos);
}

}  // namespace
}  // namespace vl3::data
