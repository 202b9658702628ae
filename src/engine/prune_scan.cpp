#include "engine/prune_scan.h"

#include <algorithm>

#include "preprocess/prune_budget.h"

namespace vl3::engine {
namespace {

// Patches that the search for a threshold may hold: with the default limits a request has 40 MB of them.
constexpr size_t kHeldBytes = 256u << 20;

int64_t count(std::span<const uint8_t> mask) { return std::count(mask.begin(), mask.end(), uint8_t{1}); }

bool is_video(const Request& request, size_t medium) {
  return request.plan.media[medium].shape.kind == preprocess::MediaKind::kVideo;
}

}  // namespace

void scan_media(const Runtime& runtime, const Request& request, const preprocess::PruneOptions& prune,
                const std::function<void(const ScannedFrame&)>& visit) {
  const weights::PreprocessConfig& config = runtime.config.preprocess;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    const media::FrameSource source = request.media[m].open();
    preprocess::TokenPruner pruner(config, plan.merge, plan.tokens_per_frame, prune);
    for (int64_t frame = 0; frame < plan.grid.t; ++frame) {
      const std::optional<media::Frame> picture = source();
      if (!picture) break;
      preprocess::PatchBatch batch = preprocess::make_patch_batch(plan.size, config.patch_size, plan.merge);
      preprocess::append_frame(batch, picture->rgb, {picture->height, picture->width});
      visit({m, frame, batch, pruner.next(batch.patches_u8), pruner.differences()});
    }
  }
}

std::vector<std::vector<int64_t>> count_kept(const Runtime& runtime, const Request& request,
                                             const preprocess::PruneOptions& prune) {
  std::vector<std::vector<int64_t>> kept(request.media.size());
  scan_media(runtime, request, prune,
             [&](const ScannedFrame& f) { kept[f.medium].push_back(count(f.mask)); });
  return kept;
}

double threshold_for_budget(const Runtime& runtime, const Request& request,
                            const preprocess::PruneOptions& prune, int64_t budget) {
  const weights::PreprocessConfig& config = runtime.config.preprocess;
  if (prune.reference == preprocess::PruneReference::kPrevious) {
    preprocess::PruneBudget search(config, config.video_merge_size, prune.min_tokens);
    scan_media(runtime, request, prune, [&](const ScannedFrame& f) {
      if (!is_video(request, f.medium)) return;
      if (f.differences.empty()) {
        search.add_whole_frame(static_cast<int64_t>(f.mask.size()));
      } else {
        search.add_frame(f.differences);
      }
    });
    return search.smallest_threshold(budget, prune.threshold);
  }
  // Decoding is what a scan costs: the first one holds the patches for those after it, where they fit.
  std::vector<std::vector<std::vector<uint8_t>>> held(request.media.size());  // a medium, a frame
  size_t held_bytes = 0;
  bool all_held = false;
  const auto kept_at = [&](double threshold) {
    preprocess::PruneOptions tried = prune;
    tried.threshold = threshold;
    int64_t total = 0;
    if (all_held) {
      for (size_t m = 0; m < held.size(); ++m) {
        const preprocess::MediumPlan& plan = request.plan.media[m];
        preprocess::TokenPruner pruner(config, plan.merge, plan.tokens_per_frame, tried);
        for (const std::vector<uint8_t>& patches : held[m]) total += count(pruner.next(patches));
      }
      return total;
    }
    scan_media(runtime, request, tried, [&](const ScannedFrame& f) {
      if (!is_video(request, f.medium)) return;
      total += count(f.mask);
      if (held_bytes > kHeldBytes) return;
      held_bytes += f.patches.patches_u8.size();
      held[f.medium].push_back(f.patches.patches_u8);
    });
    all_held = held_bytes <= kHeldBytes;
    if (!all_held) held.assign(held.size(), {});
    return total;
  };
  return preprocess::search_threshold(
      kept_at, budget, preprocess::TokenDifference(config, config.video_merge_size), prune.threshold);
}

}  // namespace vl3::engine
