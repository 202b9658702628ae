// Who writes new captions: our own engine in `vl3 curate`, a stand-in in tests. One thread.
#pragma once

#include <string>
#include <vector>

#include "curate/item.h"

namespace vl3::curate {

struct CaptionRequest {
  std::string media;                         ///< a path that has passed the gate; "" where bytes are given
  std::shared_ptr<const std::string> bytes;  ///< of tars
  bool video = false;
  double start_s = 0, end_s = 0;  ///< of a video's clip
  std::string prompt;
};

struct CaptionReply {
  std::string text;
  std::string finish_reason;  ///< "stop", "length"
  std::string error;          ///< "" unless this one failed
};

class Captioner {
 public:
  virtual ~Captioner() = default;
  /// @return one a request, in their order; several are made at once.
  virtual std::vector<CaptionReply> caption(const std::vector<CaptionRequest>& requests) = 0;
};

}  // namespace vl3::curate
