// What Engine and Session share behind the public header.
#pragma once

#include <mutex>

#include "engine/prefill.h"
#include "vl3/engine.h"

namespace vl3 {

struct Engine::Impl {
  std::shared_ptr<const engine::Runtime> runtime;
  std::mutex compute;  // one call computes at a time
};

}  // namespace vl3

namespace vl3::engine {

/// The caller's options as the inner stages take them. @throws Error(kInvalidArgument) for a bad value.
RequestOptions request_options(const AskOptions& options);

/// Whether a part is read as a video, or may turn out to be one, from one file, folder or address.
bool may_be_video(const ContentPart& part);

/// The conversation with the options' fps, max_frames, start and end where its videos do not say their own.
Conversation with_video_defaults(Conversation conversation, const AskOptions& options);

/// A request ready to run or to be costed: media opened, pruning threshold for a token budget found.
/// @param opener, describe  see RequestOptions.
Request make_request(const Runtime& runtime, const Conversation& conversation, const AskOptions& options,
                     const MediaOpener& opener = nullptr,
                     const preprocess::PartDescriber& describe = nullptr);

/// One receipt a medium; `kept` and `times` from the request.
std::vector<MediumReceipt> describe_media(const Request& request,
                                          const std::vector<std::vector<int64_t>>& kept);

}  // namespace vl3::engine
