#include "data/dialogue_labels.h"

#include <algorithm>
#include <map>

#include "core/check.h"
#include "data/random.h"
#include "data/sample.h"
#include "text/chat_template.h"

namespace vl3::data {
namespace {

constexpr std::string_view kAssistantHeader = "<|im_start|>assistant\n";

bool is_placeholder(int64_t id, const LabelOptions& options) {
  return id == options.image_token_id || id == options.video_token_id;
}

}  // namespace

LabelledDialogue label_dialogue(const text::Conversation& conversation,
                                std::span<const int64_t> tokens_per_place, const text::Tokenizer& tokenizer,
                                const LabelOptions& options) {
  const size_t header = tokenizer.encode(kAssistantHeader).size();
  const int64_t stream_end = tokenizer.token_id("<|stream_end|>").value_or(-1);
  LabelledDialogue out;
  size_t place = 0;
  for (size_t m = 0; m < conversation.size(); ++m) {
    text::Conversation one{conversation[m]};
    const bool stream = one[0].role == text::Role::kStream;
    if (stream && options.stream_newline) one[0].content_was_string = true;
    text::RenderOptions render_options;
    render_options.add_generation_prompt = false;
    const text::RenderedPrompt prompt = text::render(one, options.flow, render_options);
    const auto places = static_cast<size_t>(prompt.num_places());
    VL3_CHECK(place + places <= tokens_per_place.size(), kInvalidArgument,
              "message {} has more images and frames than the {} there are", m, tokens_per_place.size());
    const std::vector<int64_t> ids =
        text::tokenize(prompt, tokenizer, tokens_per_place.subspan(place, places), options.image_token_id,
                       options.video_token_id);
    place += places;

    const auto start = static_cast<int64_t>(out.input_ids.size());
    std::vector<int64_t> labels(ids.size(), kIgnoreIndex);
    const auto learn = [&](size_t i) { labels[i] = ids[i]; };
    const auto decide = [&](size_t i) {
      learn(i);
      out.decisions.push_back(start + static_cast<int64_t>(i));
    };
    if (one[0].role == text::Role::kAssistant) {
      for (size_t i = header; i + 1 < ids.size(); ++i) learn(i);
    }
    const bool after_stream = m > 0 && conversation[m - 1].role == text::Role::kStream;
    if (options.stream_rule == StreamRule::kNextMessage && after_stream) decide(0);
    if (options.stream_rule == StreamRule::kStreamEnd && stream) {
      for (size_t i = 1; i < ids.size(); ++i) {
        const bool after_picture = is_placeholder(ids[i - 1], options) && !is_placeholder(ids[i], options);
        if (after_picture || ids[i] == stream_end) decide(i);
      }
    }
    const auto learned = static_cast<int64_t>(labels.size()) - std::ranges::count(labels, kIgnoreIndex);
    out.segments.push_back({one[0].role, prompt.text, start, static_cast<int64_t>(ids.size()), learned});
    out.input_ids.insert(out.input_ids.end(), ids.begin(), ids.end());
    out.labels.insert(out.labels.end(), labels.begin(), labels.end());
  }
  VL3_CHECK(place == tokens_per_place.size(), kInvalidArgument, "{} places for {} images and frames", place,
            tokens_per_place.size());
  return out;
}

void balance_decisions(LabelledDialogue& dialogue, uint64_t seed) {
  std::map<int64_t, std::vector<int64_t>> by_token;
  for (const int64_t at : dialogue.decisions)
    by_token[dialogue.input_ids[static_cast<size_t>(at)]].push_back(at);
  size_t least = SIZE_MAX;
  for (const auto& [token, positions] : by_token) least = std::min(least, positions.size());
  for (auto& [token, positions] : by_token) {
    // The first `least` of a random order stay.
    for (size_t i = 0; i + 1 < positions.size(); ++i) {
      const uint64_t draw = mix({seed, static_cast<uint64_t>(token), i}) % (positions.size() - i);
      std::swap(positions[i], positions[i + draw]);
    }
    for (size_t i = least; i < positions.size(); ++i) {
      dialogue.labels[static_cast<size_t>(positions[i])] = kIgnoreIndex;
    }
  }
}

}  // namespace vl3::data
