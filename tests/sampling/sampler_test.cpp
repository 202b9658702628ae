#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "support/temp_dir.h"

namespace vl3::sampling {
namespace {

using test::error_of;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<int64_t> ids_of(const std::vector<Candidate>& candidates) {
  std::vector<int64_t> ids;
  for (const Candidate& c : candidates) ids.push_back(c.id);
  return ids;
}

std::vector<int64_t> kept(const SamplingOptions& options, std::vector<float> logits) {
  return ids_of(Sampler(options).distribution(logits));
}

std::vector<float> noise(size_t size, uint64_t seed, float scale = 3.0f) {
  std::vector<float> logits(size);
  for (size_t i = 0; i < size; ++i) {
    logits[i] = scale * static_cast<float>(std::sqrt(-2 * std::log(1 - uniform(seed, 2 * i))) *
                                           std::cos(6.283185307179586 * uniform(seed, 2 * i + 1)));
  }
  return logits;
}

TEST(Sampler, GreedyTakesTheLowestOfEqualIds) {
  std::vector<float> logits = {1, 5, 5, -kInf, 2};
  EXPECT_EQ(Sampler({.temperature = 0}).sample(logits), 1);
}

TEST(Sampler, GreedyStillPenalises) {
  Sampler sampler({.temperature = 0, .repetition_penalty = 2.0});
  sampler.accept(1);
  std::vector<float> logits = {3, 5, 2};
  EXPECT_EQ(sampler.sample(logits), 0);
}

TEST(Sampler, RepetitionPenaltyCountsOnceAndByScope) {
  for (const bool prompt : {true, false}) {
    Sampler sampler({.repetition_penalty = 2.0, .penalise_prompt = prompt});
    sampler.accept_prompt(std::vector<int64_t>{0, 0, 1, -7, 99});
    sampler.accept(2);
    std::vector<float> logits = {4, -4, 4, 4};
    sampler.distribution(logits);
    EXPECT_EQ(logits, prompt ? (std::vector<float>{2, -8, 2, 4}) : (std::vector<float>{4, -4, 2, 4}));
  }
}

TEST(Sampler, FrequencyAndPresenceCountTheAnswerOnly) {
  Sampler sampler({.frequency_penalty = 0.5, .presence_penalty = 1.0});
  sampler.accept_prompt(std::vector<int64_t>{0});
  for (const int64_t id : {1, 1, 1, 2}) sampler.accept(id);
  sampler.rollback(1);
  std::vector<float> logits = {4, 4, 4};
  sampler.distribution(logits);
  EXPECT_EQ(logits, (std::vector<float>{4, 1.5, 4}));
  EXPECT_NE(error_of([&] { sampler.rollback(4); }).find("cannot take back 4 tokens of 3"), std::string::npos);
}

TEST(Sampler, BiasIsAddedFirstAndRefusedOutsideTheVocabulary) {
  std::vector<float> logits = {0, 0, 1};
  EXPECT_EQ(Sampler({.temperature = 0, .logit_bias = {{0, 100}, {2, -100}}}).sample(logits), 0);
  EXPECT_NE(error_of([&] {
              Sampler({.logit_bias = {{3, 1.0}}}).sample(logits);
            }).find("has no token 3"),
            std::string::npos);
}

TEST(Sampler, TopKKeepsTiesOfTheLast) {
  EXPECT_EQ(kept({.top_k = 2}, {1, 3, 2, 2, 0}), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(kept({.top_k = 1}, {1, 3, 2, 2, 0}), (std::vector<int64_t>{1}));
  EXPECT_EQ(kept({.top_k = 100}, {1, 3, 2, 2, -kInf}), (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesP) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.25f), std::log(0.15f), std::log(0.1f)};
  EXPECT_EQ(kept({.top_p = 0.6}, logits), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(kept({.top_p = 0.45}, logits), (std::vector<int64_t>{0}));
  EXPECT_EQ(kept({.top_p = 0.0}, logits), (std::vector<int64_t>{0}));
  EXPECT_EQ(kept({.top_p = 0.95}, logits), (std::vector<int64_t>{0, 1, 2, 3}));
  // Two halves: the sum of the lower one, 0.5, is not above 1 - p, so it goes; of equals the reference keeps
  // the later.
  EXPECT_EQ(kept({.top_p = 0.5}, {0, 0}), (std::vector<int64_t>{1}));
}

TEST(Sampler, TopPAgreesWithAFullSort) {
  for (const double p : {0.05, 0.3, 0.8, 0.95, 0.999}) {
    const std::vector<float> logits = noise(20000, 11);
    std::vector<std::pair<double, int64_t>> sorted;
    double total = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      sorted.emplace_back(std::exp(logits[i]), static_cast<int64_t>(i));
      total += sorted.back().first;
    }
    std::sort(sorted.rbegin(), sorted.rend());
    std::vector<int64_t> expected;
    double above = 0;
    for (const auto& [weight, id] : sorted) {
      if (!expected.empty() && above >= p) break;
      expected.push_back(id);
      above += weight / total;
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_NEAR(static_cast<double>(kept({.top_p = p}, logits).size()), static_cast<double>(expected.size()),
                1)
        << p;
  }
}

TEST(Sampler, MinPComesAfterTopPAndIsRelativeToTheBest) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  EXPECT_EQ(kept({.min_p = 0.5}, logits), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(kept({.min_p = 1.0}, logits), (std::vector<int64_t>{0}));
  EXPECT_EQ(kept({.top_p = 0.9, .min_p = 0.01}, logits), (std::vector<int64_t>{0, 1, 2}));
}

TEST(Sampler, TinyTemperaturesAreGreedyNotNan) {
  for (const double temperature : {1e-3, 1e-30, 1e-60}) {
    const auto found = kept({.temperature = temperature}, {-1e30f, 7, 6, 1e3f});
    EXPECT_EQ(found, (std::vector<int64_t>{3})) << temperature;
  }
}

TEST(Sampler, NonFiniteLogitsAreNamed) {
  for (const double temperature : {0.0, 1.0}) {
    const auto run = [&](std::vector<float> logits) {
      return error_of([&] { Sampler({.temperature = temperature}).sample(logits); });
    };
    EXPECT_EQ(run({1, 2, kNan}), "internal: logit of token 2 is nan: the model's numbers broke down");
    EXPECT_EQ(run({1, kInf, 2}), "internal: logit of token 1 is inf: the model's numbers broke down");
    EXPECT_NE(run({-kInf, -kInf}).find("all 2 logits are masked out"), std::string::npos);
    EXPECT_NE(run({}).find("no token can be chosen"), std::string::npos);
  }
}

TEST(Sampler, OptionsOutsideTheirRangeAreRefused) {
  const auto refused = [](const SamplingOptions& options, const std::string& name) {
    EXPECT_NE(error_of([&] { Sampler sampler(options); }).find("invalid argument: " + name),
              std::string::npos)
        << name;
  };
  for (const double bad : {-0.1, std::nan(""), HUGE_VAL}) {
    refused({.temperature = bad}, "temperature");
    refused({.top_p = bad}, "top_p");
    refused({.min_p = bad}, "min_p");
    refused({.repetition_penalty = bad}, "repetition_penalty");
  }
  refused({.top_k = -1}, "top_k");
  refused({.top_p = 1.1}, "top_p");
  refused({.min_p = 1.1}, "min_p");
  refused({.repetition_penalty = 0}, "repetition_penalty");
  refused({.frequency_penalty = 2.5}, "frequency_penalty");
  refused({.presence_penalty = -2.5}, "presence_penalty");
  refused({.logit_bias = {{-1, 0.0}}}, "logit_bias");
  refused({.logit_bias = {{1, 101.0}}}, "logit_bias");
}

TEST(Sampler, UniformIsTheSameEverywhere) {
  // From an independent implementation of SplitMix64 whose first number of seed 0 is the published
  // 0xe220a8397b1dcdaf.
  EXPECT_EQ(uniform(0, 0), 0x1.4e0dba5e9a32fp-1);
  EXPECT_EQ(uniform(0, 1), 0x1.6705460be8829p-1);
  EXPECT_EQ(uniform(42, 7), 0x1.782d47a99890cp-1);
  EXPECT_EQ(uniform(UINT64_MAX, 1000000), 0x1.d832d8ffdeb30p-2);
  double sum = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const double u = uniform(42, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.004);
}

TEST(Sampler, SeedsRepeatAndDiffer) {
  const auto run = [](uint64_t seed) {
    Sampler sampler({.temperature = 0.9, .top_k = 50, .top_p = 0.95, .seed = seed});
    std::vector<int64_t> ids;
    for (int step = 0; step < 40; ++step) {
      std::vector<float> logits = noise(1000, static_cast<uint64_t>(step));
      ids.push_back(sampler.sample(logits));
      sampler.accept(ids.back());
    }
    return ids;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(Sampler, RollbackRepeatsTheDraw) {
  Sampler sampler({.seed = 3});
  const std::vector<float> logits = noise(1000, 1);
  auto copy = logits;
  const int64_t first = sampler.sample(copy);
  sampler.accept(first);
  sampler.rollback(1);
  copy = logits;
  EXPECT_EQ(sampler.sample(copy), first);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  struct Row {
    SamplingOptions options;
    double chi_square_999;  ///< 99.9 % quantile for the row's degrees of freedom
  };
  const std::vector<float> logits = {0.5f, 1.0f, -1.0f, 2.0f, 0.0f, -0.5f, 1.5f, 0.25f};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    for (const Row& row :
         {Row{{.seed = seed}, 24.32}, Row{{.temperature = 0.7, .top_k = 4, .seed = seed}, 16.27}}) {
      Sampler sampler(row.options);
      auto copy = logits;
      const auto expected = sampler.distribution(copy);
      std::map<int64_t, int> counts;
      constexpr int kDraws = 20000;
      for (int i = 0; i < kDraws; ++i) {
        copy = logits;
        const int64_t id = sampler.sample(copy);
        ++counts[id];
        sampler.accept(id);
      }
      double chi_square = 0;
      int drawn = 0;
      for (const Candidate& c : expected) {
        const double mean = c.probability * static_cast<double>(kDraws);
        chi_square += (counts[c.id] - mean) * (counts[c.id] - mean) / mean;
        drawn += counts[c.id];
      }
      EXPECT_EQ(drawn, kDraws) << "something outside the distribution was drawn";
      EXPECT_LT(chi_square, row.chi_square_999) << "seed " << seed;
    }
  }
}

TEST(Logprobs, AreOfTheRawDistributionBestFirst) {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.1f), std::log(0.4f), -kInf};
  const Logprobs found = raw_logprobs(logits, 2, 4);
  EXPECT_EQ(found.chosen.id, 2);
  EXPECT_NEAR(found.chosen.logprob, std::log(0.1), 1e-6);
  ASSERT_EQ(found.top.size(), 4u);
  const std::vector<int64_t> order = {1, 3, 0, 2};
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(found.top[i].id, order[i]);
  EXPECT_NEAR(found.top[0].logprob, std::log(0.4), 1e-6);
  EXPECT_EQ(raw_logprobs(logits, 0, 5).top.size(), 4u) << "a masked token has no logprob to list";
  EXPECT_TRUE(raw_logprobs(logits, 0, 0).top.empty());
  EXPECT_EQ(raw_logprobs(logits, 4, 1).chosen.logprob, -kInf);
  EXPECT_NE(error_of([&] { raw_logprobs(logits, 5, 1); }).find("outside 0 to 4"), std::string::npos);
  EXPECT_NE(error_of([&] { raw_logprobs(logits, 0, 6); }).find("top_logprobs"), std::string::npos);
}

}  // namespace
}  // namespace vl3::sampling
