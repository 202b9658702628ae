// The third step: new captions, short and detailed, of the items that are kept. A shard's file appears whole; a run that was
// killed goes on with the first one missing. One thread.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "curate/captioner.h"
#include "curate/select.h"

namespace vl3::curate {

struct NewCaption {
  std::string short_caption, detailed_caption;
  std::string error;  ///< why there is none: "cut off", "caption_repetition", what the engine says
};

/// Captions every kept item of the share's shards that has none yet. What a model writes passes the text filters, or counts
/// as an error. @return captions made by this call.
int64_t caption_shards(const ItemSource& source, const CurateConfig& config, const OutputLayout& layout,
                       const Selection& selection, const ShardShare& share, Captioner& captioner,
                       const std::function<bool()>& cancelled);

/// By position; empty without the file.
std::map<int64_t, NewCaption> read_captions(const OutputLayout& layout, int64_t shard);

}  // namespace vl3::curate
