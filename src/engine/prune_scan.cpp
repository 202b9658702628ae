#include "engine/prune_scan.h"

#include <algorithm>

#include "preprocess/prune_budget.h"

namespace vl3::engine {
namespace {

/// Calls visit(medium, frame, mask, differences) for every frame of every video.
template <typename Visit>
void scan(const Runtime& runtime, const Request& request, const preprocess::PruneOptions& prune, const Visit& visit) {
  const weights::PreprocessConfig& config = runtime.config.preprocess;
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    if (plan.shape.kind != preprocess::MediaKind::kVideo) continue;
    const FrameSource source = request.media[m].open();
    preprocess::TokenPruner pruner(config, plan.merge, plan.tokens_per_frame, prune);
    for (int64_t frame = 0; frame < plan.grid.t; ++frame) {
      const std::optional<media::Frame> picture = source();
      if (!picture) break;
      preprocess::PatchBatch batch = preprocess::make_patch_batch(plan.size, config.patch_size, plan.merge);
      preprocess::append_frame(batch, picture->rgb, {picture->height, picture->width});
      const auto mask = pruner.next(batch.patches_u8);
      visit(m, frame, mask, pruner.differences());
    }
  }
}

}  // namespace

std::vector<std::vector<int64_t>> count_kept(const Runtime& runtime, const Request& request,
                                             const preprocess::PruneOptions& prune) {
  std::vector<std::vector<int64_t>> kept(request.media.size());
  for (size_t m = 0; m < request.media.size(); ++m) {
    const preprocess::MediumPlan& plan = request.plan.media[m];
    if (plan.shape.kind == preprocess::MediaKind::kImage) kept[m] = {plan.tokens_per_frame};
  }
  scan(runtime, request, prune, [&](size_t m, int64_t, std::span<const uint8_t> mask, std::span<const double>) {
    kept[m].push_back(std::count(mask.begin(), mask.end(), uint8_t{1}));
  });
  return kept;
}

double threshold_for_budget(const Runtime& runtime, const Request& request, const preprocess::PruneOptions& prune,
                            int64_t budget) {
  const weights::PreprocessConfig& config = runtime.config.preprocess;
  if (prune.reference == preprocess::PruneReference::kPrevious) {
    preprocess::PruneBudget search(config, config.video_merge_size, prune.min_tokens);
    scan(runtime, request, prune,
         [&](size_t, int64_t, std::span<const uint8_t> mask, std::span<const double> differences) {
           if (differences.empty()) {
             search.add_whole_frame(static_cast<int64_t>(mask.size()));
           } else {
             search.add_frame(differences);
           }
         });
    return search.smallest_threshold(budget, prune.threshold);
  }
  const auto kept_at = [&](double threshold) {
    preprocess::PruneOptions tried = prune;
    tried.threshold = threshold;
    int64_t total = 0;
    scan(runtime, request, tried, [&](size_t, int64_t, std::span<const uint8_t> mask, std::span<const double>) {
      total += std::count(mask.begin(), mask.end(), uint8_t{1});
    });
    return total;
  };
  return preprocess::search_threshold(kept_at, budget, preprocess::TokenDifference(config, config.video_merge_size),
                                      prune.threshold);
}

}  // namespace vl3::engine
