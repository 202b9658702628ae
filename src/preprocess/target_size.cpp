#include "preprocess/target_size.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace vl3::preprocess {
namespace {

using weights::PreprocessConfig;

constexpr int64_t kMaxFactor = 4096;              // patch_size * merge
constexpr int64_t kMaxPixels = int64_t{1} << 52;  // every pixel count stays exact in double
constexpr double kMaxNativeAspect = 200.0;

/// Python's round(side / f) * f: to the nearest multiple, a tie to the even one.
int64_t round_to(int64_t side, int64_t f) {
  const int64_t quotient = side / f;
  const int64_t twice = 2 * (side % f);
  return (quotient + (twice > f || (twice == f && quotient % 2 == 1) ? 1 : 0)) * f;
}

Size rounded(Size size, int64_t f) { return {round_to(size.height, f), round_to(size.width, f)}; }

/// Both sides divided by `ratio`, then down to a multiple of f (0 is possible).
Size shrunk(Size size, double ratio, int64_t f) {
  const auto side = [&](int64_t value) {
    return static_cast<int64_t>(std::floor(static_cast<double>(value) / ratio / static_cast<double>(f))) * f;
  };
  return {side(size.height), side(size.width)};
}

/// Both sides scaled up so that their product reaches min_pixels, then up to a multiple of f.
Size enlarged(Size size, int64_t min_pixels, int64_t f) {
  const double ratio =
      std::sqrt(static_cast<double>(min_pixels) / static_cast<double>(size.height * size.width));
  const auto side = [&](int64_t value) {
    return static_cast<int64_t>(std::ceil(static_cast<double>(value) * ratio / static_cast<double>(f))) * f;
  };
  return {side(size.height), side(size.width)};
}

double shrink_ratio(Size size, int64_t max_pixels) {
  return std::sqrt(static_cast<double>(size.height * size.width) / static_cast<double>(max_pixels));
}

int64_t pixels(Size size) { return size.height * size.width; }

Size at_least(Size size, int64_t f) { return {std::max(size.height, f), std::max(size.width, f)}; }

int64_t checked_pixels(int64_t tokens, int64_t f, const char* key) {
  VL3_CHECK(tokens >= 0 && tokens <= kMaxPixels / (f * f), kCorrupt,
            "preprocessor config: {} = {} is outside 0..{}", key, tokens, kMaxPixels / (f * f));
  return tokens * f * f;
}

void check_media(std::span<const MediaShape> media) {
  for (size_t i = 0; i < media.size(); ++i) {
    const auto& [kind, size, frames] = media[i];
    VL3_CHECK(size.height >= 1 && size.height <= kMaxSide && size.width >= 1 && size.width <= kMaxSide,
              kInvalidArgument, "medium {} of the request has {}x{} pixels; each side must be 1..{}", i,
              size.width, size.height, kMaxSide);
    VL3_CHECK(frames >= 1 && frames <= kMaxSide && (kind == MediaKind::kVideo || frames == 1),
              kInvalidArgument, "medium {} of the request has {} frames; a video needs 1..{}, an image is 1",
              i, frames, kMaxSide);
  }
}

/// Rule of the official flow when all media share one merge size.
std::vector<Size> shared_budget(std::span<const MediaShape> media, const PreprocessConfig& config,
                                int64_t f) {
  int64_t total_frames = 0;
  for (const MediaShape& medium : media) total_frames += medium.frames;
  const int64_t min_pixels = checked_pixels(config.min_tokens, f, "min_tokens");
  const int64_t cap = checked_pixels(config.max_tokens, f, "max_tokens") / total_frames;
  VL3_CHECK(cap >= 1, kInvalidArgument, "{} frames do not fit max_tokens = {}: less than one pixel each",
            total_frames, config.max_tokens);
  std::vector<Size> sizes;
  for (const MediaShape& medium : media) {
    Size size = rounded(medium.size, f);
    if (pixels(size) > cap) size = shrunk(medium.size, shrink_ratio(medium.size, cap), f);
    // Not "else": a side that went down to 0 comes back through here.
    if (pixels(size) < min_pixels) size = enlarged(medium.size, min_pixels, f);
    sizes.push_back(at_least(size, f));
  }
  return sizes;
}

/// Rule of the official flow when images and videos of different merge sizes meet in one request.
std::vector<Size> shared_scale(std::span<const MediaShape> media, const PreprocessConfig& config) {
  VL3_CHECK(config.max_tokens >= 1, kCorrupt, "preprocessor config: max_tokens = {} must be positive",
            config.max_tokens);
  double total = 0;  // integer-valued; a double cannot overflow
  for (const MediaShape& medium : media) {
    const int64_t f = token_side(medium.kind, config);
    const auto tokens = [&](int64_t side) { return static_cast<double>((side + f - 1) / f); };
    total += static_cast<double>(medium.frames) * tokens(medium.size.height) * tokens(medium.size.width);
  }
  const auto max_tokens = static_cast<double>(config.max_tokens);
  std::vector<Size> sizes;
  for (const MediaShape& medium : media) {
    const int64_t f = token_side(medium.kind, config);
    const Size size =
        total > max_tokens ? shrunk(medium.size, std::sqrt(total / max_tokens), f) : rounded(medium.size, f);
    // DIFFERS: the reference has no minimum here, and fails on a medium whose side goes down to 0.
    sizes.push_back(at_least(size, f));
  }
  return sizes;
}

/// transformers' rule: one medium alone.
Size native_size(const MediaShape& medium, const PreprocessConfig& config) {
  const bool video = medium.kind == MediaKind::kVideo;
  const int64_t f = token_side(medium.kind, config);
  const int64_t min_pixels = video ? config.video_min_pixels : config.image_min_pixels;
  const int64_t limit = video ? config.video_max_pixels : config.image_max_pixels;
  VL3_CHECK(min_pixels >= 0 && min_pixels <= kMaxPixels && limit >= 0 && limit <= kMaxPixels, kCorrupt,
            "preprocessor config: min_pixels = {} and max_pixels = {} must be 0..{}", min_pixels, limit,
            kMaxPixels);
  const auto [shorter, longer] = std::minmax(medium.size.height, medium.size.width);
  const double aspect = static_cast<double>(longer) / static_cast<double>(shorter);
  VL3_CHECK(
      aspect <= kMaxNativeAspect, kInvalidArgument,
      "a medium of {}x{} pixels has a side ratio of {:.1f}; the native flow takes at most {}, crop it or use "
      "--flow remote",
      medium.size.width, medium.size.height, aspect, kMaxNativeAspect);
  const int64_t max_pixels = limit / medium.frames;
  VL3_CHECK(max_pixels >= 1, kInvalidArgument,
            "{} frames do not fit max_pixels = {}: less than one pixel each", medium.frames, limit);
  Size size = rounded(medium.size, f);
  if (pixels(size) > max_pixels) {
    size = shrunk(medium.size, shrink_ratio(medium.size, max_pixels), f);
  } else if (pixels(size) < min_pixels) {
    size = enlarged(medium.size, min_pixels, f);
  }
  return at_least(size, f);
}

}  // namespace

int64_t merge_size(MediaKind kind, const PreprocessConfig& config) {
  return kind == MediaKind::kVideo ? config.video_merge_size : config.image_merge_size;
}

int64_t token_side(MediaKind kind, const PreprocessConfig& config) {
  const int64_t merge = merge_size(kind, config);
  VL3_CHECK(config.patch_size >= 1 && config.patch_size <= kMaxFactor && merge >= 1 &&
                merge <= kMaxFactor / config.patch_size,
            kCorrupt,
            "preprocessor config: patch_size = {} and merge_size = {} must be positive, product at most {}",
            config.patch_size, merge, kMaxFactor);
  return config.patch_size * merge;
}

std::vector<Size> target_sizes(std::span<const MediaShape> media, const PreprocessConfig& config) {
  check_media(media);
  if (media.empty()) return {};
  if (config.flow == Flow::kNative) {
    std::vector<Size> sizes;
    for (const MediaShape& medium : media) sizes.push_back(native_size(medium, config));
    return sizes;
  }
  const int64_t f = token_side(media.front().kind, config);
  const bool one_merge = std::ranges::all_of(
      media, [&](const MediaShape& medium) { return token_side(medium.kind, config) == f; });
  return one_merge ? shared_budget(media, config, f) : shared_scale(media, config);
}

}  // namespace vl3::preprocess
