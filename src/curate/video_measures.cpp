#include "curate/video_measures.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace vl3::curate {
namespace {

constexpr int kBlock = 8, kReach = 4, kWidth = 96;

std::vector<float> colours_of(const media::Frame& frame) {
  std::vector<float> bins(64, 0);
  const size_t pixels = frame.rgb.size() / 3, step = std::max<size_t>(1, pixels / 8192);
  float count = 0;
  for (size_t i = 0; i < pixels; i += step, ++count) {
    const uint8_t* rgb = frame.rgb.data() + i * 3;
    bins[static_cast<size_t>(rgb[0] / 64 * 16 + rgb[1] / 64 * 4 + rgb[2] / 64)] += 1;
  }
  for (float& bin : bins) bin /= count;
  return bins;
}

// Half the sum of differences: 0 equal … 1 nothing in common.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / 2;
}

double difference(const Luma& a, const Luma& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) sum += std::abs(a.values[i] - b.values[i]);
  return sum / static_cast<double>(a.values.size());
}

bool has_texture(const Luma& luma, int y0, int x0) {
  int low = 255, high = 0;
  for (int y = y0; y < y0 + kBlock; ++y) {
    for (int x = x0; x < x0 + kBlock; ++x) {
      low = std::min<int>(low, luma.at(y, x));
      high = std::max<int>(high, luma.at(y, x));
    }
  }
  return high - low >= 24;
}

int block_cost(const Luma& a, int ay, int ax, const Luma& b, int by, int bx) {
  int sum = 0;
  for (int y = 0; y < kBlock; ++y) {
    for (int x = 0; x < kBlock; ++x) sum += std::abs(a.at(ay + y, ax + x) - b.at(by + y, bx + x));
  }
  return sum;
}

}  // namespace

double block_motion(const Luma& before, const Luma& after) {
  double sum = 0;
  int blocks = 0;
  for (int y = 0; y + kBlock <= after.height; y += kBlock) {
    for (int x = 0; x + kBlock <= after.width; x += kBlock) {
      if (!has_texture(after, y, x)) continue;
      // Standing still wins a tie: the cost of every step away has a little added.
      int best = block_cost(after, y, x, before, y, x);
      double moved = 0;
      for (int dy = -kReach; dy <= kReach; ++dy) {
        for (int dx = -kReach; dx <= kReach; ++dx) {
          if (y + dy < 0 || x + dx < 0 || y + dy + kBlock > before.height || x + dx + kBlock > before.width)
            continue;
          const int cost =
              block_cost(after, y, x, before, y + dy, x + dx) + 4 * (std::abs(dy) + std::abs(dx));
          if (cost < best) best = cost, moved = std::hypot(dy, dx);
        }
      }
      sum += moved;
      ++blocks;
    }
  }
  return blocks > 0 ? sum / blocks : 0;
}

void FrameMeter::add(const media::Frame& frame, double time_s) {
  Luma luma = luma_of(frame, kWidth);
  std::vector<float> colours = colours_of(frame);
  if (last_ && last_->values.size() == luma.values.size() && last_->width == luma.width) {
    Step step{last_time_, time_s, difference(*last_, luma), 0, false};
    step.cut = distance(last_colours_, colours) > config_.cut_threshold;
    const double seconds = time_s - last_time_;
    if (!step.cut && seconds > 0) step.motion = block_motion(*last_, luma) / luma.width / seconds;
    steps_.push_back(step);
  }
  last_ = std::move(luma);
  last_colours_ = std::move(colours);
  last_time_ = time_s;
  ++frames_;
}

VideoMeasures FrameMeter::finish(double end_s) const {
  VideoMeasures measures;
  measures.frames = frames_;
  int64_t still = 0, within = 0;
  double motion = 0;
  size_t first = 0;  // step of the scene
  double best = -1, begin_s = steps_.empty() ? last_time_ : steps_[0].begin_s;
  for (size_t i = 0; i <= steps_.size(); ++i) {
    if (i < steps_.size() && !steps_[i].cut) {
      ++within;
      still += steps_[i].difference < config_.still_threshold ? 1 : 0;
      motion += steps_[i].motion;
      continue;
    }
    const double scene_end = i < steps_.size() ? steps_[i].end_s : end_s;
    choose_clip(first, i, begin_s, scene_end, &best, &measures);
    if (i == steps_.size()) break;
    ++measures.cuts;
    begin_s = steps_[i].end_s;
    first = i + 1;
  }
  measures.static_share = within > 0 ? static_cast<double>(still) / static_cast<double>(within) : 1;
  measures.motion = within > 0 ? motion / static_cast<double>(within) : 0;
  return measures;
}

// Of the scene's windows of at most max_clip_s, the one in which most is moving.
void FrameMeter::choose_clip(size_t first, size_t last, double begin_s, double end_s, double* best,
                             VideoMeasures* measures) const {
  for (size_t k = first; k == first || k < last; ++k) {
    const double from = k < last ? steps_[k].begin_s : begin_s;
    const double to = std::min(end_s, from + config_.max_clip_s);
    if (to - from < config_.min_clip_s) break;
    double sum = 0;
    int64_t count = 0;
    for (size_t i = k; i < last && steps_[i].end_s <= to; ++i, ++count) sum += steps_[i].motion;
    if (sum > *best) {
      *best = sum;
      measures->clip_start_s = from;
      measures->clip_end_s = to;
      measures->clip_motion = count > 0 ? sum / static_cast<double>(count) : 0;
    }
    if (to >= end_s) break;  // later windows are parts of this one
  }
}

}  // namespace vl3::curate
