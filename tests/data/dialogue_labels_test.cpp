#include "data/dialogue_labels.h"

#include <gtest/gtest.h>

#include <map>

#include "data/golden_train_set.h"
#include "data/sample.h"

namespace vl3::data {
namespace {

text::Conversation stream() {
  const auto said = [](text::Role role, const std::string& what) {
    text::Message message;
    message.role = role;
    message.content_was_string = true;
    message.parts.push_back(text::text_part(what));
    return message;
  };
  text::Message frame;
  frame.role = text::Role::kStream;
  frame.parts.push_back(text::image_part("frame"));
  frame.parts[0].timestamp = 1.0;
  return {said(text::Role::kUser, "Look."),       frame, frame, frame, frame,
          said(text::Role::kAssistant, "There."), frame};
}

LabelledDialogue label(LabelOptions options) {
  options.image_token_id = golden_train_set().model.image_token_id;
  options.video_token_id = golden_train_set().model.video_token_id;
  const std::vector<int64_t> places(5, 3);
  return label_dialogue(stream(), places, *golden_train_set().tokenizer, options);
}

std::map<std::string, int> decided(const LabelledDialogue& dialogue) {
  std::map<std::string, int> count;
  for (const int64_t at : dialogue.decisions) {
    const auto i = static_cast<size_t>(at);
    if (dialogue.labels[i] == kIgnoreIndex) continue;
    EXPECT_EQ(dialogue.labels[i], dialogue.input_ids[i]);
    ++count[std::string(golden_train_set().tokenizer->token_bytes(dialogue.input_ids[i]))];
  }
  return count;
}

TEST(DialogueLabels, TheMessageAfterAFrameIsADecision) {
  const LabelledDialogue dialogue = label({});
  EXPECT_EQ(decided(dialogue), (std::map<std::string, int>{{"<|stream_start|>", 3}, {"<|im_start|>", 1}}));
  EXPECT_EQ(dialogue.segments.size(), 7u);
  EXPECT_EQ(dialogue.segments[1].learned, 0) << "the frame after a question follows no frame";
}

TEST(DialogueLabels, TheOlderRuleLearnsTheEndsOfFrames) {
  const LabelledDialogue dialogue = label({.stream_rule = StreamRule::kStreamEnd});
  EXPECT_EQ(decided(dialogue), (std::map<std::string, int>{{"\n", 5}, {"<|stream_end|>", 5}}));
}

TEST(DialogueLabels, BalancingKeepsTheSameNumberOfEach) {
  LabelledDialogue dialogue = label({});
  balance_decisions(dialogue, 5);
  EXPECT_EQ(decided(dialogue), (std::map<std::string, int>{{"<|stream_start|>", 1}, {"<|im_start|>", 1}}));
  // Answers stay as they were.
  EXPECT_EQ(dialogue.labels[static_cast<size_t>(dialogue.segments[5].start) + 5],
            label({}).labels[static_cast<size_t>(dialogue.segments[5].start) + 5]);
}

TEST(DialogueLabels, OneKindOfDecisionAloneIsLeft) {
  LabelledDialogue dialogue = label({});
  std::erase_if(dialogue.decisions, [&](int64_t at) {
    return golden_train_set().tokenizer->token_bytes(dialogue.input_ids[static_cast<size_t>(at)]) ==
           "<|im_start|>";
  });
  balance_decisions(dialogue, 5);
  EXPECT_EQ(decided(dialogue), (std::map<std::string, int>{{"<|stream_start|>", 3}}));
}

}  // namespace
}  // namespace vl3::data
