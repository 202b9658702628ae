// A conversation as token ids with a label each: what of it is learned. Stateless and thread-safe.
//
// Note: labels. Messages are rendered and tokenised one by one, without a default system prompt. Of an
// assistant message everything after its header (as many tokens as the header alone has) up to and with
// <|im_end|> is learned, not its last newline; of others nothing. Around streams, decisions are learned as
// well (StreamRule). Source: golden_train/README.md "Rules" 1 to 3; spec/training.md 4.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/flow.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace vl3::data {

enum class StreamRule {
  /// The first token of a message after a stream message: <|stream_start|> = go on watching, <|im_start|> =
  /// somebody speaks.
  kNextMessage,
  /// Inside a stream message: the token after each picture, and <|stream_end|>.
  kStreamEnd,
};

struct LabelOptions {
  Flow flow = Flow::kRemote;
  StreamRule stream_rule = StreamRule::kNextMessage;
  bool stream_newline = false;  ///< remote: a newline after <|stream_end|>
  int64_t image_token_id = -1;
  int64_t video_token_id = -1;
};

struct Segment {
  text::Role role = text::Role::kUser;
  std::string text;    ///< before expansion
  int64_t start = 0;   ///< token of the dialogue
  int64_t tokens = 0;  ///< after expansion
  int64_t learned = 0;
};

struct LabelledDialogue {
  std::vector<int64_t> input_ids;
  std::vector<int64_t> labels;     ///< as long, not shifted; kIgnoreIndex = not learned
  std::vector<int64_t> decisions;  ///< positions of stream decisions, ascending; all of them learned
  std::vector<Segment> segments;   ///< one a message
};

/// @param tokens_per_place  of each image and video frame, in prompt order.
/// @throws Error(kInvalidArgument) as text::render() and text::tokenize().
LabelledDialogue label_dialogue(const text::Conversation& conversation,
                                std::span<const int64_t> tokens_per_place, const text::Tokenizer& tokenizer,
                                const LabelOptions& options);

/// Ignores randomly chosen decisions until every token that decides (by its id) is learned equally often.
void balance_decisions(LabelledDialogue& dialogue, uint64_t seed);

}  // namespace vl3::data
