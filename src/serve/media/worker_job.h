// What the server and a decoding child say to each other about one medium. Internal to serve/media.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "media/limits.h"
#include "preprocess/media_set.h"
#include "weights/model_config.h"

namespace vl3::serve {

/// One of the contents that a part names.
struct WorkerContent {
  std::string name;                ///< for people
  std::optional<uint64_t> packed;  ///< its bytes in the pack; unset: it comes with a descriptor of its own
};

/// The first message: the part (its references replaced by the contents' numbers), the rules of sampling and
/// the limits. It is followed by the descriptors of the contents that have one, in order, and then by that of
/// the pack, in which the others lie back to back.
Json worker_request(const text::ContentPart& part, const std::vector<WorkerContent>& contents,
                    const weights::PreprocessConfig& config, const media::MediaLimits& limits);

Json entry_to_json(const preprocess::MediaEntry& entry, const text::ContentPart& part);
/// Without key and open; sets the part's kind. @throws Error(kCorrupt).
preprocess::MediaEntry entry_from_json(const Json& json, text::ContentPart& part);

/// The child: answers on `fd` until the server closes its end.
void serve_worker_job(int fd);

}  // namespace vl3::serve
