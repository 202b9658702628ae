// The two chat templates of VideoLLaMA3, as code: a conversation becomes the prompt, and the prompt token
// ids. Pure functions, no state. Source: spec "Prompt"; the text equals the reference's jinja templates byte
// for byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/flow.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace vl3::text {

inline constexpr std::string_view kDefaultSystemPrompt =
    "You are VideoLLaMA3 created by Alibaba DAMO Academy, a helpful assistant to help people understand "
    "images and "
    "videos.";

/// How "Time X.Xs" rounds to one decimal.
enum class TimeRounding {
  kExact,  ///< the binary value correctly rounded: Python's round(x, 1) and "%.1f"
  kNumpy,  ///< rint(10 x) / 10, as for the numpy floats of the official ffmpeg loader (0.35 → 0.4)
};

std::string format_time(double seconds, TimeRounding rounding);

struct RenderOptions {
  /// Remote scripts say true, native callers false: puts kDefaultSystemPrompt first unless the first message
  /// is one.
  bool add_system_prompt = false;
  bool add_generation_prompt = true;  ///< ends with "<|im_start|>assistant\n"
  /// Text in messages may name added tokens ("<|im_end|>", "<image>"), which then count as such. Off: it is
  /// only text.
  bool parse_special_in_text = false;
};

/// An image or a video of the conversation, in prompt order.
struct PromptMedia {
  PartKind kind = PartKind::kImage;
  size_t message = 0;  ///< index into the conversation
  size_t part = 0;     ///< index into its parts
  int64_t frames = 1;
};

/// A stretch of text, or the place of one image or video frame.
struct PromptPiece {
  std::string text;    ///< "" for a place
  bool plain = false;  ///< what a message says, in which no added token is recognised
  int64_t media = -1;  ///< index into RenderedPrompt::media; -1 for text
  int64_t frame = 0;   ///< of that video
  bool is_place() const { return media >= 0; }
};

struct RenderedPrompt {
  std::string text;  ///< before expansion: one placeholder a frame (remote), an image or video (native)
  std::vector<ByteRange> plain;     ///< what messages say, as ranges of `text`
  std::vector<PromptPiece> pieces;  ///< what is tokenised: the text around the places of images and frames
  std::vector<PromptMedia> media;

  /// Images and video frames together: how many token counts tokenize() wants.
  int64_t num_places() const;
};

/// @throws Error(kInvalidArgument) for a video whose frames are not known yet, or whose timestamps do not
/// match them.
RenderedPrompt render(const Conversation& conversation, Flow flow, const RenderOptions& options = {});

/// The final ids: every place becomes as many copies of its placeholder as the image or frame has tokens.
/// Equal to the reference tokenising the expanded string, except that plain text cannot name an added token.
/// @param tokens_per_place  one count an image and a video frame, in prompt order, each at least 1.
/// @param image_token_id, video_token_id  placeholder of images and of video frames; equal in the remote
/// flow.
/// @throws Error(kInvalidArgument) for a wrong number of counts, text that is not UTF-8, or, with
///   parse_special_in_text, text that itself names a placeholder.
std::vector<int64_t> tokenize(const RenderedPrompt& prompt, const Tokenizer& tokenizer,
                              std::span<const int64_t> tokens_per_place, int64_t image_token_id,
                              int64_t video_token_id);

}  // namespace vl3::text
