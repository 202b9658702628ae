#include "data/packing.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "core/check.h"

namespace vl3::data {
namespace {

/// Indices by falling length; equal lengths in their order.
std::vector<size_t> longest_first(std::span<const int64_t> lengths) {
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  return order;
}

}  // namespace

Groups pack_by_budget(std::span<const int64_t> lengths, int64_t budget) {
  Groups rows;
  std::set<std::pair<int64_t, size_t>> room;  // (tokens left, row)
  for (const size_t i : longest_first(lengths)) {
    VL3_CHECK(lengths[i] >= 1 && lengths[i] <= budget, kInvalidArgument,
              "a sample of {} tokens does not fit a row of {}; raise row_tokens or lower model_max_length",
              lengths[i], budget);
    auto best = room.lower_bound({lengths[i], 0});
    size_t row = rows.size();
    int64_t left = budget;
    if (best == room.end()) {
      rows.emplace_back();
    } else {
      std::tie(left, row) = *best;
      room.erase(best);
    }
    rows[row].push_back(i);
    room.insert({left - lengths[i], row});
  }
  for (std::vector<size_t>& row : rows) std::ranges::sort(row);
  std::ranges::sort(rows);
  return rows;
}

Groups pack_by_count(size_t samples, int64_t row_samples) {
  VL3_CHECK(row_samples >= 1, kInvalidArgument, "row_samples is {}; it must be 1 or more", row_samples);
  Groups rows;
  for (size_t i = 0; i < samples; ++i) {
    if (i % static_cast<size_t>(row_samples) == 0) rows.emplace_back();
    rows.back().push_back(i);
  }
  return rows;
}

Groups balance(std::span<const int64_t> lengths, int64_t parts) {
  VL3_CHECK(parts >= 1, kInvalidArgument, "{} processes; there must be 1 or more", parts);
  Groups groups(static_cast<size_t>(parts));
  std::set<std::pair<int64_t, size_t>> load;  // (tokens, group)
  for (size_t group = 0; group < groups.size(); ++group) load.insert({0, group});
  for (const size_t i : longest_first(lengths)) {
    const auto [tokens, group] = *load.begin();
    load.erase(load.begin());
    groups[group].push_back(i);
    load.insert({tokens + lengths[i], group});
  }
  for (std::vector<size_t>& group : groups) std::ranges::sort(group);
  return groups;
}

PackedRow make_row(std::vector<Sample> samples) {
  VL3_CHECK(!samples.empty(), kInvalidArgument, "a row of no samples");
  PackedRow row;
  row.cu_seqlens.push_back(0);
  for (Sample& sample : samples) {
    VL3_CHECK(!sample.input_ids.empty() && sample.labels.size() == sample.input_ids.size(), kInvalidArgument,
              "sample {}: {} tokens with {} labels", sample.id, sample.input_ids.size(),
              sample.labels.size());
    const int64_t start = row.length();
    row.input_ids.insert(row.input_ids.end(), sample.input_ids.begin(), sample.input_ids.end());
    row.labels.insert(row.labels.end(), sample.labels.begin(), sample.labels.end());
    row.labels[static_cast<size_t>(start)] = kIgnoreIndex;
    for (const int64_t position : sample.visual_positions) row.visual_positions.push_back(start + position);
    for (VisualMedium& medium : sample.media) row.media.push_back(std::move(medium));
    row.answer_kinds.push_back(std::move(sample.answer_kinds));
    row.sample_ids.push_back(std::move(sample.id));
    row.cu_seqlens.push_back(row.length());
  }
  row.labelled_tokens = row.length() - std::ranges::count(row.labels, kIgnoreIndex);
  return row;
}

}  // namespace vl3::data
