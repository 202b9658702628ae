// Balance: k-means centres on a sample of features, every item assigned to its nearest, and from each cluster
// only so many, the ones farthest from what is there already. Faiss does the clustering and the search. One
// thread besides Faiss's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "curate/candidates.h"
#include "curate/curate_config.h"
#include "curate/step_hooks.h"
#include "curate/verdict.h"

namespace vl3::curate {

/// Reads the features of a candidate: size() floats of length 1.
struct FeatureReader {
  int64_t size = 0;
  std::function<void(const Candidate& candidate, float* out)> read;
};

struct ClusterSummary {
  int64_t clusters = 0, quota = 0;     ///< quota 0: none
  std::vector<int64_t> before, after;  ///< items of each cluster
  std::vector<float> map_x, map_y;     ///< centres on the plane of their two main directions
};

/// Writes every kept candidate's cluster into its verdict; drops feature duplicates (max_feature_cosine) and
/// what is over the quota. Clusters larger than memory allows are treated in parts, each with its share of
/// the quota. @throws Error(kCancelled).
ClusterSummary balance_clusters(const CandidateFile& candidates, const FeatureReader& features,
                                const CurateConfig& config, const std::filesystem::path& work,
                                VerdictFile* verdicts, const StepHooks& hooks = {});

/// The order in which farthest-first traversal takes rows: the first is the one nearest to the mean, each
/// next the one whose nearest taken row is farthest. @param rows  [n, size]. @return the first `count` of it.
/// Source: Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985).
std::vector<int64_t> farthest_first(const std::vector<float>& rows, int64_t size, int64_t count,
                                    const StepHooks& hooks = {});

}  // namespace vl3::curate
