// A request made ready: media opened, sizes planned, prompt rendered and tokenised with one id for each image
// or frame (the place its visual tokens take). Plain data; what prefill() works through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/media_fetcher.h"
#include "engine/runtime.h"
#include "preprocess/compression_mask.h"
#include "preprocess/media_set.h"
#include "preprocess/request_plan.h"
#include "text/chat_template.h"

namespace vl3::engine {

struct RequestOptions {
  std::optional<bool>
      add_system_prompt;  ///< unset: the flow's habit (remote scripts true, native callers false)
  bool add_generation_prompt = true;
  bool parse_special_in_text = false;
  std::optional<int64_t> max_visual_tokens;
  preprocess::PruneOptions prune;
  media::MediaLimits limits;
  MediaOpener opener;                  ///< finds what a reference names; unset: media::open_media()
  preprocess::PartDescriber describe;  ///< see preprocess::MediaSetOptions
};

/// One id of the template: text, or the place of a frame.
struct PromptItem {
  int64_t id = 0;
  int64_t medium = -1;  ///< index into Request::media; -1 for text
  int64_t frame = 0;
  bool is_place() const { return medium >= 0; }
};

struct Request {
  text::Conversation conversation;
  std::vector<preprocess::MediaEntry> media;
  preprocess::VisualPlan plan;
  text::RenderedPrompt prompt;
  std::vector<PromptItem> items;
  RequestOptions options;
  uint64_t content_bytes = 0;  ///< of media that it holds in memory: downloads, stdin, decoded pictures

  /// Rows of the fused sequence before pruning.
  int64_t max_rows() const;
  /// The same were every video frame to keep a single token.
  int64_t min_rows() const;
  /// What was wrong with the media, a line each, in prompt order; whole once their frames were taken.
  std::vector<std::string> warnings() const;
};

/// @throws Error from media and template; Error(kInvalidArgument) when the model has no token for a medium's
/// place.
Request prepare_request(const Runtime& runtime, text::Conversation conversation,
                        const RequestOptions& options);

/// The request with medium `medium` holding only its first `frames` frames (the file broke off). Everything
/// before that medium's frame number `frames` is unchanged, sizes included.
void shorten(Request& request, const Runtime& runtime, size_t medium, int64_t frames);

}  // namespace vl3::engine
