// Several samples in one row of tokens, each attending to itself only: what one forward pass trains on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/sample.h"

namespace vl3::data {

/// L tokens of the samples one after the other. Positions restart at 0 in every sample.
struct PackedRow {
  std::vector<int64_t> input_ids;   ///< [L]
  std::vector<int64_t> labels;      ///< [L], not shifted; the first one of every sample is kIgnoreIndex
  std::vector<int64_t> cu_seqlens;  ///< [samples + 1]: sample s is rows [cu_seqlens[s], cu_seqlens[s+1])
  std::vector<int64_t> visual_positions;  ///< rows that the kept visual tokens of `media` fill, in order
  std::vector<VisualMedium> media;        ///< of all samples, in row order
  std::vector<std::string> sample_ids;    ///< [samples]
  std::vector<std::vector<std::string>> answer_kinds;  ///< [samples]: of each one's answers; may be empty
  int64_t labelled_tokens = 0;                         ///< labels that are not kIgnoreIndex

  int64_t length() const { return static_cast<int64_t>(input_ids.size()); }
};

}  // namespace vl3::data
