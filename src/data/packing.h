// Samples of different lengths into rows of a bounded number of tokens, and over processes so that each has
// about as many tokens to work through. Pure functions of the lengths, deterministic; every sample lands
// exactly once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/packed_row.h"
#include "data/sample.h"

namespace vl3::data {

/// Indices of samples, one list a row (or a process); ascending within a list, lists in the order of their
/// first.
using Groups = std::vector<std::vector<size_t>>;

/// Rows of at most `budget` tokens, few of them: best fit, longest samples first.
/// @param lengths  each 1..budget. @throws Error(kInvalidArgument) for one that is longer.
Groups pack_by_budget(std::span<const int64_t> lengths, int64_t budget);

/// Rows of `row_samples` samples in their order; the last one may hold fewer.
Groups pack_by_count(size_t samples, int64_t row_samples);

/// Exactly `parts` groups, some perhaps empty, of nearly equal sums: the longest remaining sample goes to the
/// group with the least so far.
/// Group i belongs to process i.
Groups balance(std::span<const int64_t> lengths, int64_t parts);

/// Puts samples one after the other. Takes their memory.
/// @throws Error(kInvalidArgument) for no samples or an inconsistent one.
PackedRow make_row(std::vector<Sample> samples);

}  // namespace vl3::data
