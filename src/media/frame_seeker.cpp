#include "media/frame_seeker.h"

#include <algorithm>

#include "core/check.h"
#include "core/log.h"

namespace vl3::media {
namespace {

// A seek empties the decoder's pipeline; below this many frames plain decoding is quicker.
constexpr int64_t kMinSkip = 8;

}  // namespace

FrameSeeker::FrameSeeker(const MediaData& media, const FrameIndex& index, const MediaLimits& limits,
                         const VideoOptions& options, bool allow_seeking)
    : media_(media),
      index_(index),
      limits_(limits),
      options_(options),
      seeking_(allow_seeking && index.seekable),
      held_(make_frame()),
      ahead_(make_frame()) {
  open();
}

void FrameSeeker::open() {
  reader_.reset();
  reader_.emplace(media_, limits_, options_);
  held_index_ = ahead_index_ = -1;
  landed_ = true;
  ended_ = false;
}

int64_t FrameSeeker::index_of(int64_t pts) const {
  return std::upper_bound(index_.pts.begin(), index_.pts.end(), pts) - index_.pts.begin() - 1;
}

void FrameSeeker::skip_to_keyframe(int64_t wanted) {
  int64_t key = wanted;
  while (key > held_index_ && index_.keyframe[static_cast<size_t>(key)] == 0) --key;
  if (key - held_index_ < kMinSkip) return;
  if (reader_->seek(index_.pts[static_cast<size_t>(key)])) {
    landed_ = ended_ = false;
    ahead_index_ = -1;
  } else {
    seeking_ = false;
    open();
  }
}

// Decodes one frame into ahead_. False at the end of the video.
bool FrameSeeker::advance() {
  const AVFrame* frame = reader_->next();
  if (frame == nullptr) {
    ended_ = true;
    return false;
  }
  ++decoded_;
  const int64_t before = std::max(held_index_, int64_t{-1});
  int64_t here = before + 1;
  if (index_.exact && frame->best_effort_timestamp != AV_NOPTS_VALUE) {
    here = std::max<int64_t>(index_of(frame->best_effort_timestamp), 0);
  }
  av_frame_unref(ahead_.get());
  VL3_CHECK(av_frame_ref(ahead_.get(), frame) >= 0, kResourceExhausted, "{}: no memory for a frame",
            media_.name);
  ahead_index_ = std::min(here, index_.size() - 1);
  return true;
}

const AVFrame* FrameSeeker::reach(int64_t wanted) {
  if (seeking_ && ahead_index_ < wanted) skip_to_keyframe(wanted);
  while (true) {
    if (ahead_index_ < 0) {
      if (ended_ || !advance()) {
        if (!landed_) {  // a seek that leads nowhere
          seeking_ = false;
          open();
          continue;
        }
        return held_index_ >= wanted ? held_.get() : nullptr;
      }
      const bool known = ahead_->best_effort_timestamp == index_.pts[static_cast<size_t>(ahead_index_)];
      if (!landed_ && (ahead_index_ > wanted || !known)) {
        logger().debug("{}: seeking is not dependable here; decoding all frames", media_.name);
        seeking_ = false;
        open();
        continue;
      }
      landed_ = true;
    }
    if (ahead_index_ > wanted && held_index_ >= 0) return held_.get();
    std::swap(held_, ahead_);
    held_index_ = ahead_index_;
    ahead_index_ = -1;
    if (held_index_ >= wanted) return held_.get();
  }
}

}  // namespace vl3::media
