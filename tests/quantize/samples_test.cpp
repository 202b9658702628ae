#include "quantize/samples.h"

#include <gtest/gtest.h>

#include <set>

namespace vl3::quantize {
namespace {

TEST(QuantizeSamples, HoldTextsPicturesAndClips) {
  const auto samples = generate_samples(24, synth::Split::kHeldout, /*with_media=*/true);
  ASSERT_EQ(samples.size(), 24u);
  std::set<PartKind> kinds;
  for (const Sample& sample : samples) {
    EXPECT_FALSE(sample.answer.empty()) << sample.id;
    for (const ContentPart& part : sample.question.front().parts) kinds.insert(part.kind);
  }
  EXPECT_EQ(kinds, (std::set<PartKind>{PartKind::kText, PartKind::kImage, PartKind::kVideo}));
}

TEST(QuantizeSamples, AFewAreTheFirstOfMany) {
  const auto few = generate_samples(5, synth::Split::kTrain, true),
             many = generate_samples(9, synth::Split::kTrain, true);
  for (size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].id, many[i].id);
  std::set<std::string> held_out;
  for (const Sample& sample : generate_samples(9, synth::Split::kHeldout, true)) held_out.insert(sample.id);
  for (const Sample& sample : many) EXPECT_FALSE(held_out.contains(sample.id));
}

TEST(QuantizeSamples, WithoutMediaThereAreTexts) {
  for (const Sample& sample : generate_samples(6, synth::Split::kTrain, false)) {
    EXPECT_TRUE(sample.pictures.empty());
    EXPECT_EQ(sample.question.front().parts.size(), 1u);
  }
}

TEST(QuantizeSamples, BecomeRequestsOfAModel) {
  const auto runtime = engine::Runtime::load({.model = VL3_SOURCE_DIR "/tests/data/seeded_tiny", .flow = {}});
  for (const Sample& sample : generate_samples(12, synth::Split::kTrain, true)) {
    const engine::Request asked = request_of(*runtime, sample, false),
                          answered = request_of(*runtime, sample, true);
    EXPECT_GT(answered.max_rows(), asked.max_rows()) << sample.id;
    EXPECT_LT(answered.max_rows(), 2000) << sample.id;
  }
}

}  // namespace
}  // namespace vl3::quantize
