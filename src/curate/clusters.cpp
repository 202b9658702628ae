#include "curate/clusters.h"

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/FaissException.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "curate/spill.h"
#include "synth/rng.h"

namespace vl3::curate {
namespace {

constexpr size_t kSearchRows = 1024;

struct MemberRecord {
  uint64_t key = 0;  // the cluster
  Rank rank;
  int64_t shard = 0, row = 0;
};

double dot(const float* a, const float* b, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// While one of these lives, Faiss asks it between two iterations whether to stop.
class FaissStops {
 public:
  explicit FaissStops(const StepHooks& hooks) {
    faiss::InterruptCallback::instance = std::make_unique<Callback>(hooks);
  }
  ~FaissStops() { faiss::InterruptCallback::clear_instance(); }
  FaissStops(const FaissStops&) = delete;
  FaissStops& operator=(const FaissStops&) = delete;

 private:
  struct Callback : faiss::InterruptCallback {
    explicit Callback(const StepHooks& of) : hooks(of) {}
    bool want_interrupt() override { return hooks.cancelled && hooks.cancelled(); }
    const StepHooks& hooks;
  };
};

void find_centres(const std::vector<float>& sample, int64_t rows, const StepHooks& hooks,
                  faiss::Clustering* clustering, faiss::IndexFlatIP* centres) {
  const FaissStops stops(hooks);
  try {
    clustering->train(rows, sample.data(), *centres);
  } catch (const faiss::FaissException&) {
    hooks.stop_if_asked("finding clusters");
    throw;
  }
}

// A uniform sample by Vitter's algorithm R, the same for the same seed.
std::vector<float> sample_rows(const CandidateFile& candidates, const FeatureReader& features,
                               const CurateConfig& config, const VerdictFile& verdicts, int64_t* seen) {
  const auto limit = config.clusters.sample_items;
  const auto size = static_cast<size_t>(features.size);
  std::vector<float> rows;
  synth::Rng rng(synth::mix(config.seed, 0x636c7573));
  candidates.each_kept(verdicts, [&](const Candidate& candidate) {
    if (candidate.has_features == 0) return;
    int64_t slot = (*seen)++;
    if (slot >= limit) slot = static_cast<int64_t>(rng.real() * static_cast<double>(*seen));
    if (slot >= limit) return;
    if (rows.size() < static_cast<size_t>(slot + 1) * size) rows.resize(static_cast<size_t>(slot + 1) * size);
    features.read(candidate, rows.data() + static_cast<size_t>(slot) * size);
  });
  return rows;
}

void assign(const CandidateFile& candidates, const FeatureReader& features, const faiss::IndexFlatIP& centres,
            int64_t items, const VerdictFile& verdicts, const StepHooks& hooks,
            const std::function<void(const Candidate&, int64_t cluster)>& take) {
  const auto size = static_cast<size_t>(features.size);
  std::vector<Candidate> block;
  std::vector<float> rows;
  int64_t done = 0;
  const auto flush = [&] {
    if (block.empty()) return;
    hooks.stop_if_asked("clustering");
    hooks.show("clusters", done += std::ssize(block), items);
    std::vector<float> similarity(block.size());
    std::vector<int64_t> nearest(block.size());
    centres.search(static_cast<int64_t>(block.size()), rows.data(), 1, similarity.data(), nearest.data());
    for (size_t i = 0; i < block.size(); ++i) take(block[i], std::max<int64_t>(0, nearest[i]));
    block.clear();
    rows.clear();
  };
  candidates.each_kept(verdicts, [&](const Candidate& candidate) {
    if (candidate.has_features == 0) return;
    block.push_back(candidate);
    rows.resize(block.size() * size);
    features.read(candidate, rows.data() + (block.size() - 1) * size);
    if (block.size() == kSearchRows) flush();
  });
  flush();
}

// Two main directions of the centres by power iteration: enough for a picture.
void map_centres(const std::vector<float>& centres, int64_t size, ClusterSummary* summary) {
  const auto count = static_cast<int64_t>(centres.size()) / size;
  std::vector<float> centred = centres;
  for (int64_t d = 0; d < size; ++d) {
    float mean = 0;
    for (int64_t c = 0; c < count; ++c)
      mean += centres[static_cast<size_t>(c * size + d)] / static_cast<float>(count);
    for (int64_t c = 0; c < count; ++c) centred[static_cast<size_t>(c * size + d)] -= mean;
  }
  for (std::vector<float>* axis : {&summary->map_x, &summary->map_y}) {
    std::vector<float> direction(static_cast<size_t>(size));
    synth::Rng rng(7);
    for (float& value : direction) value = static_cast<float>(rng.normal());
    std::vector<float> along(static_cast<size_t>(count));
    for (int step = 0; step < 50; ++step) {
      const double length = std::sqrt(dot(direction.data(), direction.data(), size));
      for (float& value : direction) value = length > 0 ? value / static_cast<float>(length) : 0;
      std::vector<float> next(static_cast<size_t>(size), 0);
      for (int64_t c = 0; c < count; ++c) {
        const float* row = centred.data() + c * size;
        along[static_cast<size_t>(c)] = static_cast<float>(dot(row, direction.data(), size));
        for (int64_t d = 0; d < size; ++d)
          next[static_cast<size_t>(d)] += along[static_cast<size_t>(c)] * row[d];
      }
      if (step < 49) direction = next;
    }
    *axis = along;
    for (int64_t c = 0; c < count; ++c) {  // what this direction explains is taken out for the next
      for (int64_t d = 0; d < size; ++d)
        centred[static_cast<size_t>(c * size + d)] -=
            along[static_cast<size_t>(c)] * direction[static_cast<size_t>(d)];
    }
  }
}

// One cluster, or a part of it that fits memory.
class Part {
 public:
  Part(std::span<const MemberRecord> members, const FeatureReader& features, VerdictFile* verdicts)
      : members_(members), size_(features.size), verdicts_(verdicts), dropped_(members.size(), false) {
    rows_.resize(members.size() * static_cast<size_t>(size_));
    for (size_t i = 0; i < members.size(); ++i) {
      Candidate candidate;
      candidate.shard = members[i].shard;
      candidate.row = members[i].row;
      features.read(candidate, rows_.data() + i * static_cast<size_t>(size_));
    }
  }

  // Only what stays makes others superfluous: likeness does not add up along a chain.
  void drop_duplicates(double max_cosine, const StepHooks& hooks) {
    for (size_t i = 1; i < members_.size(); ++i) {
      hooks.stop_if_asked("finding feature duplicates");
      for (size_t k = 0; k < i; ++k) {
        if (dropped_[k]) continue;
        const double cosine = dot(row(i), row(k), size_);
        if (cosine <= max_cosine) continue;
        set(i, Reason::kFeatureDuplicate, members_[k].rank.position, static_cast<float>(cosine));
        break;
      }
    }
  }

  /// @return items kept
  int64_t apply_quota(int64_t quota, const StepHooks& hooks) {
    std::vector<size_t> kept;
    std::vector<float> rows;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (dropped_[i]) continue;
      kept.push_back(i);
      rows.insert(rows.end(), row(i), row(i) + size_);
    }
    if (quota == 0 || std::ssize(kept) <= quota) return std::ssize(kept);
    std::vector<bool> chosen(kept.size(), false);
    for (const int64_t k : farthest_first(rows, size_, quota, hooks)) chosen[static_cast<size_t>(k)] = true;
    for (size_t k = 0; k < kept.size(); ++k) {
      if (!chosen[k]) set(kept[k], Reason::kClusterQuota, -1, 0);
    }
    return quota;
  }

 private:
  const float* row(size_t i) const { return rows_.data() + i * static_cast<size_t>(size_); }
  void set(size_t i, Reason reason, int64_t other, float value) {
    Verdict verdict = verdicts_->get(members_[i].rank.position);
    verdict.reason = reason;
    verdict.other = other;
    verdict.value = value;
    verdicts_->set(members_[i].rank.position, verdict);
    dropped_[i] = true;
  }

  std::span<const MemberRecord> members_;
  int64_t size_;
  VerdictFile* verdicts_;
  std::vector<float> rows_;
  std::vector<bool> dropped_;
};

}  // namespace

std::vector<int64_t> farthest_first(const std::vector<float>& rows, int64_t size, int64_t count,
                                    const StepHooks& hooks) {
  const auto items = static_cast<int64_t>(rows.size()) / size;
  std::vector<float> mean(static_cast<size_t>(size), 0);
  for (int64_t i = 0; i < items; ++i) {
    for (int64_t d = 0; d < size; ++d)
      mean[static_cast<size_t>(d)] += rows[static_cast<size_t>(i * size + d)];
  }
  int64_t next = 0;
  double best = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < items; ++i) {
    const double near = dot(rows.data() + i * size, mean.data(), size);
    if (near > best) best = near, next = i;
  }
  std::vector<double> nearest(static_cast<size_t>(items), -2);  // cosine to the nearest taken row
  std::vector<int64_t> order;
  while (std::ssize(order) < std::min(count, items)) {
    hooks.stop_if_asked("balancing");
    order.push_back(next);
    nearest[static_cast<size_t>(next)] = std::numeric_limits<double>::infinity();
    int64_t farthest = -1;
    for (int64_t i = 0; i < items; ++i) {
      double& near = nearest[static_cast<size_t>(i)];
      if (std::isinf(near)) continue;
      near = std::max(near, dot(rows.data() + i * size, rows.data() + next * size, size));
      if (farthest < 0 || near < nearest[static_cast<size_t>(farthest)]) farthest = i;
    }
    next = farthest;
  }
  return order;
}

ClusterSummary balance_clusters(const CandidateFile& candidates, const FeatureReader& features,
                                const CurateConfig& config, const std::filesystem::path& work,
                                VerdictFile* verdicts, const StepHooks& hooks) {
  ClusterSummary summary;
  int64_t items = 0;
  const std::vector<float> sample = sample_rows(candidates, features, config, *verdicts, &items);
  const auto sampled = static_cast<int64_t>(sample.size()) / std::max<int64_t>(1, features.size);
  if (sampled == 0) return summary;
  const int64_t wanted = config.clusters.count > 0
                             ? config.clusters.count
                             : static_cast<int64_t>(std::sqrt(static_cast<double>(items)));
  summary.clusters = std::clamp<int64_t>(wanted, 1, sampled);

  faiss::ClusteringParameters parameters;
  parameters.niter = static_cast<int>(config.clusters.iterations);
  parameters.spherical = true;
  parameters.min_points_per_centroid = 1;
  parameters.max_points_per_centroid = static_cast<int>(std::min<int64_t>(sampled, INT32_MAX));
  parameters.seed = static_cast<int>(synth::mix(config.seed, 1) & 0x7fffffff);
  faiss::Clustering clustering(static_cast<int>(features.size), static_cast<int>(summary.clusters),
                               parameters);
  faiss::IndexFlatIP centres(features.size);
  find_centres(sample, sampled, hooks, &clustering, &centres);
  map_centres(clustering.centroids, features.size, &summary);

  const auto clusters = static_cast<size_t>(summary.clusters);
  summary.before.assign(clusters, 0);
  summary.after.assign(clusters, 0);
  if (config.clusters.target_items > 0)
    summary.quota = (config.clusters.target_items + summary.clusters - 1) / summary.clusters;
  Spill<MemberRecord> spill(work / "clusters", items, config.duplicates.memory_bytes);
  assign(candidates, features, centres, items, *verdicts, hooks,
         [&](const Candidate& candidate, int64_t cluster) {
           spill.add({static_cast<uint64_t>(cluster), candidate.rank, candidate.shard, candidate.row});
           ++summary.before[static_cast<size_t>(cluster)];
           Verdict verdict = verdicts->get(candidate.rank.position);
           verdict.cluster = static_cast<int32_t>(cluster);
           verdicts->set(candidate.rank.position, verdict);
         });
  const bool duplicates = config.duplicates.max_feature_cosine < 1;
  if (summary.quota == 0 && !duplicates) {
    summary.after = summary.before;
    return summary;
  }
  const auto fits = static_cast<size_t>(std::max<int64_t>(
      1024, config.duplicates.memory_bytes / (features.size * static_cast<int64_t>(sizeof(float)))));
  spill.groups([&](std::span<const MemberRecord> group) {
    for (size_t begin = 0; begin < group.size(); begin += fits) {
      const std::span<const MemberRecord> members =
          group.subspan(begin, std::min(fits, group.size() - begin));
      Part part(members, features, verdicts);
      if (duplicates) part.drop_duplicates(config.duplicates.max_feature_cosine, hooks);
      const auto share = (summary.quota * std::ssize(members) + std::ssize(group) - 1) / std::ssize(group);
      summary.after[static_cast<size_t>(group[0].key)] += part.apply_quota(share, hooks);
    }
  });
  return summary;
}

}  // namespace vl3::curate
