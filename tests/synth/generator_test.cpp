#include "synth/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "support/temp_dir.h"
#include "synth/facts_json.h"
#include "synth/walk.h"
#include "text/utf8.h"

namespace vl3::test {
namespace {

using namespace synth;

// Everything of a sample in one number.
uint64_t fingerprint(const Sample& sample) {
  uint64_t hash = hash_text(sample.id);
  for (const media::Frame& frame : sample.frames) {
    hash = hash_text({reinterpret_cast<const char*>(frame.rgb.data()), frame.rgb.size()},
                     mix(hash, static_cast<uint64_t>(frame.width)));
    hash = mix(hash, static_cast<uint64_t>(frame.pts_s * 1000));
  }
  for (const Question& question : sample.questions) hash = hash_text(to_json(question).dump(), hash);
  return hash_text(to_json(sample.facts).dump(), hash);
}

TEST(Generator, GivesTheSameSampleOnEveryThread) {
  SynthOptions options;
  options.seed = 7;
  options.mixture = {{"scene", {}, 1}, {"ocr", {}, 1},  {"document", {}, 1},       {"chart", {}, 1},
                     {"multi", {}, 1}, {"text", {}, 1}, {"video", {"f2", "f5"}, 1}};
  constexpr uint64_t count = 60;
  const Generator generator(options);
  std::vector<uint64_t> alone;
  for (uint64_t i = 0; i < count; ++i) alone.push_back(fingerprint(generator.sample(i)));
  std::vector<std::vector<uint64_t>> together(3, std::vector<uint64_t>(count));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < together.size(); ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < count; ++i) {  // each in another order
        const uint64_t at = (i * 7 + t * 11) % count;
        together[t][at] = fingerprint(generator.sample(at));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& found : together) EXPECT_EQ(found, alone);
  options.seed = 8;
  EXPECT_NE(fingerprint(Generator(options).sample(0)), alone[0]);
}

TEST(Generator, DrawsTheSameWhateverWasDrawnBefore) {
  const Generator generator{SynthOptions{}};
  const uint64_t first = fingerprint(generator.sample("chart.value", "bars", 5));
  for (uint64_t i = 0; i < 5; ++i) (void)generator.sample("chart.value", "bars", i);
  EXPECT_EQ(fingerprint(generator.sample("chart.value", "bars", 5)), first);
}

TEST(Generator, KeepsEverySampleWithinItsLimits) {
  SynthOptions options;
  options.seed = 3;
  std::set<std::string> kinds;
  walk(options, 4, [&](const Sample& sample) {
    SCOPED_TRACE(sample.id);
    ASSERT_FALSE(sample.questions.empty());
    kinds.insert(sample.questions[0].kind);
    EXPECT_TRUE(sample.id.find(sample.questions[0].kind + "-" + sample.questions[0].level) !=
                std::string::npos);
    EXPECT_EQ(sample.frames.size(), sample.type == MediaType::kText ? 0 : sample.facts.images.size());
    for (size_t i = 0; i < sample.frames.size(); ++i) {
      const media::Frame& frame = sample.frames[i];
      const ImageFacts& facts = sample.facts.images[i];
      EXPECT_EQ(frame.width, facts.width);
      EXPECT_EQ(frame.height, facts.height);
      EXPECT_EQ(frame.rgb.size(), static_cast<size_t>(frame.width) * static_cast<size_t>(frame.height) * 3);
      EXPECT_GE(std::min(frame.width, frame.height), options.min_side / 2);
      EXPECT_LE(std::max(frame.width, frame.height), options.max_side);
      for (const Item& item : facts.items) {
        EXPECT_LT(item.box.x0, item.box.x1) << item.label;
        EXPECT_LT(item.box.y0, item.box.y1) << item.label;
        EXPECT_GE(item.box.x0, -2) << item.label;
        EXPECT_GE(item.box.y0, -2) << item.label;
        EXPECT_LE(item.box.x1, static_cast<float>(frame.width) + 2) << item.label;
        EXPECT_LE(item.box.y1, static_cast<float>(frame.height) + 2) << item.label;
      }
      if (i > 0 && sample.type == MediaType::kVideo) {
        EXPECT_GT(frame.pts_s, sample.frames[i - 1].pts_s);
      }
    }
    if (sample.type != MediaType::kStream) {
      EXPECT_LE(sample.questions.size(), 5U);
    }
    for (const Question& question : sample.questions) {
      EXPECT_EQ(text::find_invalid_utf8(question.text), std::string::npos);
      EXPECT_FALSE(question.answer.empty()) << question.text;
      if (sample.type != MediaType::kStream) {
        EXPECT_FALSE(question.text.empty());
      }
      EXPECT_EQ(question.text.find_first_of("{}[|"), std::string::npos) << question.text;
      EXPECT_EQ(question.text.find("  "), std::string::npos) << question.text;
      if (!question.options.empty() && question.kind != "video.when" && question.kind != "long.when") {
        EXPECT_NE(std::find(question.options.begin(), question.options.end(), question.answer),
                  question.options.end())
            << question.text << " -> " << question.answer;
      }
    }
  });
  EXPECT_GT(kinds.size(), 75U);
}

TEST(Generator, DrawsLongClips) {
  SynthOptions options;
  options.mixture = {{"long", {"minute"}, 1}, {"video", {"f32"}, 1}};
  walk(
      options, 1, [](const Sample& sample) { EXPECT_GE(sample.frames.size(), 17U); }, /*with_long=*/true);
}

TEST(Generator, AsksOnlyKindsOfTheMixture) {
  SynthOptions options;
  options.mixture = {{"scene.colour", {"few"}, 1}, {"scene.count", {"few", "many"}, 1}};
  const Generator generator(options);
  for (uint64_t i = 0; i < 100; ++i) {
    const Sample sample = generator.sample(i);
    for (const Question& question : sample.questions) {
      EXPECT_TRUE(question.kind == "scene.colour" || question.kind == "scene.count") << question.kind;
      if (question.level == "many") {
        EXPECT_EQ(question.kind, "scene.count");
      }
    }
  }
}

TEST(Generator, HonoursSizesGlyphsAndNoise) {
  SynthOptions options;
  options.min_side = 112;
  options.max_side = 168;
  options.min_glyph = options.max_glyph = 20;
  options.background_level = 0;
  options.image_codec = Codec::kRaw;
  options.sensor_noise = 0;
  options.mixture = {{"scene", {}, 1}, {"ocr.read", {"large"}, 1}};
  for (uint64_t i = 0; i < 60; ++i) {
    const Sample sample = Generator(options).sample(i);
    EXPECT_GE(std::min(sample.frames[0].width, sample.frames[0].height), 112);
    EXPECT_LE(std::max(sample.frames[0].width, sample.frames[0].height), 168);
    if (sample.questions[0].kind.starts_with("scene")) {
      EXPECT_EQ(sample.facts.images[0].background, "white");
    }
  }
}

TEST(Generator, MakesAnswersWrongAtTheGivenRate) {
  SynthOptions options;
  options.answer_noise = 0.3;
  options.caption_noise = 0.5;
  options.questions_per_medium = 1;
  options.mixture = {{"scene.colour", {}, 1}, {"scene.describe", {}, 1}};
  const Generator generator(options);
  int answers = 0, noisy_answers = 0, captions = 0, noisy_captions = 0;
  for (uint64_t i = 0; i < 800; ++i) {
    const Sample sample = generator.sample(i);
    const Question& question = sample.questions[0];
    const bool caption = question.form == AnswerForm::kCaption;
    (caption ? captions : answers) += 1;
    if (question.noisy) (caption ? noisy_captions : noisy_answers) += 1;
    if (!caption) {
      const auto& items = sample.facts.images[0].items;
      const auto right = std::find_if(items.begin(), items.end(), [&](const Item& item) {
        return item.label == question.query.at("shape");
      });
      EXPECT_EQ(right->colour != question.answer, question.noisy);
    }
  }
  EXPECT_NEAR(static_cast<double>(noisy_answers) / answers, 0.3, 0.08);
  EXPECT_NEAR(static_cast<double>(noisy_captions) / captions, 0.5, 0.08);
}

TEST(Generator, FindsAWrongAnswerToEveryQuestionWithOptions) {
  SynthOptions options;
  options.answer_noise = options.caption_noise = 1;
  options.image_codec = options.codec = Codec::kRaw;
  walk(options, 3, [](const Sample& sample) {
    for (const Question& question : sample.questions) {
      const std::set<std::string> different(question.options.begin(), question.options.end());
      if (question.form != AnswerForm::kCaption) {
        EXPECT_EQ(question.noisy, different.size() > 1) << question.text;
      }
    }
  });
}

TEST(Generator, RefusesWhatItCannotDraw) {
  const Generator generator{SynthOptions{}};
  EXPECT_TRUE(
      says(error_of([&] { generator.sample("scene.smell", "one", 0); }), "no such kind; scene has colour"));
  EXPECT_TRUE(says(error_of([&] { generator.sample("scene", "one", 0); }), "name a kind, as scene.colour"));
  EXPECT_TRUE(
      says(error_of([&] { generator.sample("scene.colour", "huge", 0); }), "no such level; scene has one"));
  EXPECT_TRUE(
      says(error_of([&] { generator.sample("scene.odd", "one", 0); }), "cannot be asked at level one"));
  SynthOptions tight;
  tight.max_side = 112;
  tight.min_glyph = tight.max_glyph = 150;
  EXPECT_TRUE(
      says(error_of([&] { Generator(tight).sample("ocr.read", "page", 0); }), "leave nothing to draw"));
}

}  // namespace
}  // namespace vl3::test
