// What the server and a decoding child say to each other about one medium. Internal to serve/media.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "media/limits.h"
#include "preprocess/media_set.h"
#include "weights/model_config.h"

namespace vl3::serve {

/// The first message: the part (its references replaced by the number of descriptors that follow), the rules
/// of sampling and the limits.
Json worker_request(const text::ContentPart& part, const std::vector<std::string>& names,
                    const weights::PreprocessConfig& config, const media::MediaLimits& limits);

Json entry_to_json(const preprocess::MediaEntry& entry, const text::ContentPart& part);
/// Without key and open; sets the part's kind. @throws Error(kCorrupt).
preprocess::MediaEntry entry_from_json(const Json& json, text::ContentPart& part);

/// The child: answers on `fd` until the server closes its end.
void serve_worker_job(int fd);

}  // namespace vl3::serve
