#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"

namespace vl3::sampling {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

void check_range(const char* name, double value, double low, double high) {
  // Written so that NaN fails.
  VL3_CHECK(value >= low && value <= high, kInvalidArgument, "{} must be between {} and {}, found {}", name,
            low, high, value);
}

/// The lowest id of the highest value. @throws as Sampler::sample().
size_t argmax(std::span<const float> logits) {
  size_t best = logits.size();
  float highest = kMasked;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > highest) {
      highest = logits[i];
      best = i;
    } else if (std::isnan(logits[i])) {
      VL3_FAIL(kInternal, "logit of token {} is {}: the model's numbers broke down", i, logits[i]);
    }
  }
  VL3_CHECK(best < logits.size(), kInternal, "no token can be chosen: all {} logits are masked out",
            logits.size());
  VL3_CHECK(std::isfinite(highest), kInternal, "logit of token {} is {}: the model's numbers broke down",
            best, highest);
  return best;
}

/// The k-th largest value; 1 <= k <= size. A heap of k needs one pass and few writes where k is small.
float kth_largest(const std::vector<Candidate>& scores, size_t k) {
  std::vector<float> heap(k);
  for (size_t i = 0; i < k; ++i) heap[i] = scores[i].probability;
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  for (size_t i = k; i < scores.size(); ++i) {
    if (scores[i].probability <= heap.front()) continue;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.back() = scores[i].probability;
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  return heap.front();
}

/// Softmax in place over scores whose maximum is `highest`.
void softmax(std::vector<Candidate>& scores, float highest) {
  double total = 0;
  for (Candidate& c : scores) {
    c.probability = std::exp(c.probability - highest);
    total += c.probability;
  }
  for (Candidate& c : scores) c.probability = static_cast<float>(c.probability / total);
}

/// Keeps the smallest set of most likely candidates that reaches p, at least one.
///
/// transformers sorts ascending and removes while the cumulated probability is <= 1 - p; seen from the top a
/// token stays while what stands above it is < p. Which of equals stays is left open there (torch's sort is
/// not stable); here the higher id does, as a stable ascending sort has it. Only as much is sorted as is
/// kept: blocks of growing size are split off the top.
void keep_top_p(std::vector<Candidate>& probabilities, double p) {
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id > b.id;
  };
  double above = 0;
  size_t kept = 0;
  for (size_t block = 64; kept < probabilities.size(); block *= 4) {
    const auto from = probabilities.begin() + static_cast<std::ptrdiff_t>(kept);
    const auto to = from + static_cast<std::ptrdiff_t>(std::min(block, probabilities.size() - kept));
    if (to != probabilities.end()) std::nth_element(from, to, probabilities.end(), likelier);
    std::sort(from, to, likelier);
    for (auto it = from; it != to; ++it) {
      if (kept > 0 && above >= p) {
        probabilities.resize(kept);
        return;
      }
      above += it->probability;
      ++kept;
    }
  }
}

}  // namespace

void validate(const SamplingOptions& options) {
  constexpr double kLargest = 1e6;
  check_range("temperature", options.temperature, 0, kLargest);
  VL3_CHECK(options.top_k >= 0, kInvalidArgument, "top_k must be 0 (off) or more, found {}", options.top_k);
  check_range("top_p", options.top_p, 0, 1);
  check_range("min_p", options.min_p, 0, 1);
  VL3_CHECK(options.repetition_penalty > 0 && options.repetition_penalty <= kLargest, kInvalidArgument,
            "repetition_penalty must be above 0 and at most {}, found {}", kLargest,
            options.repetition_penalty);
  check_range("frequency_penalty", options.frequency_penalty, -2, 2);
  check_range("presence_penalty", options.presence_penalty, -2, 2);
  for (const auto& [id, bias] : options.logit_bias) {
    VL3_CHECK(id >= 0, kInvalidArgument, "logit_bias: token id {} is negative", id);
    VL3_CHECK(bias >= -100 && bias <= 100, kInvalidArgument,
              "logit_bias of token {} must be between -100 and 100, found {}", id, bias);
  }
}

Sampler::Sampler(SamplingOptions options) : options_(std::move(options)) { validate(options_); }

void Sampler::accept_prompt(std::span<const int64_t> ids) {
  if (!options_.penalise_prompt) return;
  for (const int64_t id : ids) {
    if (id >= 0) ++seen_[id];
  }
}

void Sampler::accept(int64_t id) {
  VL3_CHECK(id >= 0, kInvalidArgument, "token id {} is negative", id);
  ++seen_[id];
  ++generated_[id];
  answer_.push_back(id);
}

void Sampler::rollback(int64_t count) {
  VL3_CHECK(count >= 0 && static_cast<size_t>(count) <= answer_.size(), kInvalidArgument,
            "cannot take back {} tokens of {}", count, answer_.size());
  for (; count > 0; --count) {
    const int64_t id = answer_.back();
    answer_.pop_back();
    if (--seen_[id] == 0) seen_.erase(id);
    if (--generated_[id] == 0) generated_.erase(id);
  }
}

void Sampler::penalise(std::span<float> logits) const {
  const auto size = static_cast<int64_t>(logits.size());
  for (const auto& [id, bias] : options_.logit_bias) {
    VL3_CHECK(id < size, kInvalidArgument, "logit_bias: the model has no token {}; its ids are 0 to {}", id,
              size - 1);
    logits[static_cast<size_t>(id)] += static_cast<float>(bias);
  }
  if (options_.repetition_penalty != 1.0) {
    const auto factor = static_cast<float>(options_.repetition_penalty);
    for (const auto& [id, times] : seen_) {
      if (id >= size) continue;
      float& score = logits[static_cast<size_t>(id)];
      score = score < 0 ? score * factor : score / factor;
    }
  }
  if (options_.frequency_penalty != 0 || options_.presence_penalty != 0) {
    for (const auto& [id, times] : generated_) {
      if (id >= size) continue;
      logits[static_cast<size_t>(id)] -= static_cast<float>(
          options_.frequency_penalty * static_cast<double>(times) + options_.presence_penalty);
    }
  }
}

std::vector<Candidate> Sampler::distribution(std::span<float> logits) const {
  penalise(logits);
  const size_t best = argmax(logits);
  if (options_.temperature == 0) return {{static_cast<int64_t>(best), 1.0f}};

  // Scores live in Candidate::probability until softmax. Divided in float32 as the reference does; where that
  // would overflow (a tiny temperature), the maximum is taken off first, which is the same distribution.
  const auto temperature = static_cast<float>(options_.temperature);
  const float shift = std::isfinite(logits[best] / temperature) ? 0.0f : logits[best];
  const float highest = shift != 0 || temperature == 0 ? 0.0f : logits[best] / temperature;
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    const float score = i == best ? highest : (logits[i] - shift) / temperature;
    if (score > kMasked) candidates.push_back({static_cast<int64_t>(i), score});
  }
  if (options_.top_k > 0 && static_cast<uint64_t>(options_.top_k) < candidates.size()) {
    const float threshold = kth_largest(candidates, static_cast<size_t>(options_.top_k));
    std::erase_if(candidates, [&](const Candidate& c) { return c.probability < threshold; });
  }
  softmax(candidates, highest);
  if (options_.top_p < 1.0) {
    keep_top_p(candidates, options_.top_p);
    std::ranges::sort(candidates, {}, &Candidate::id);
  }
  if (options_.min_p > 0) {
    float top = 0;
    for (const Candidate& c : candidates) top = std::max(top, c.probability);
    const float threshold = static_cast<float>(options_.min_p) * top;
    std::erase_if(candidates, [&](const Candidate& c) { return c.probability < threshold; });
  }
  std::erase_if(candidates, [](const Candidate& c) { return c.probability == 0; });
  double total = 0;
  for (const Candidate& c : candidates) total += c.probability;
  for (Candidate& c : candidates) c.probability = static_cast<float>(c.probability / total);
  return candidates;
}

int64_t Sampler::sample(std::span<float> logits) {
  if (options_.temperature == 0) {
    penalise(logits);
    return static_cast<int64_t>(argmax(logits));
  }
  const std::vector<Candidate> candidates = distribution(logits);
  double left = uniform(options_.seed, answer_.size());
  for (const Candidate& c : candidates) {
    left -= c.probability;
    if (left < 0) return c.id;
  }
  return candidates.back().id;  // the probabilities' rounding left a crumb
}

double uniform(uint64_t seed, uint64_t index) {
  const auto mix = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  };
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;
  // The seed is mixed too, so that neighbouring seeds are not the same stream shifted by one.
  const uint64_t bits = mix(mix(seed + kGolden) + (index + 1) * kGolden);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

Logprobs raw_logprobs(std::span<const float> logits, int64_t chosen, int64_t top_n) {
  const auto size = static_cast<int64_t>(logits.size());
  VL3_CHECK(chosen >= 0 && chosen < size, kInvalidArgument, "logprobs: token {} is outside 0 to {}", chosen,
            size - 1);
  VL3_CHECK(top_n >= 0 && top_n <= size, kInvalidArgument, "top_logprobs must be between 0 and {}, found {}",
            size, top_n);
  const float highest = logits[argmax(logits)];
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - highest);
  const double log_total = highest + std::log(total);
  const auto logprob = [&](int64_t id) {
    return TokenLogprob{id, static_cast<float>(logits[static_cast<size_t>(id)] - log_total)};
  };

  // A heap of the best n seen so far, worst on top.
  const auto better = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  Logprobs result{logprob(chosen), {}};
  std::vector<TokenLogprob>& top = result.top;
  for (int64_t id = 0; id < size && top_n > 0; ++id) {
    const TokenLogprob entry{id, logits[static_cast<size_t>(id)]};
    if (entry.logprob == kMasked) continue;
    if (static_cast<int64_t>(top.size()) == top_n) {
      if (!better(entry, top.front())) continue;
      std::pop_heap(top.begin(), top.end(), better);
      top.pop_back();
    }
    top.push_back(entry);
    std::push_heap(top.begin(), top.end(), better);
  }
  std::sort_heap(top.begin(), top.end(), better);
  for (TokenLogprob& entry : top) entry = logprob(entry.id);
  return result;
}

}  // namespace vl3::sampling
