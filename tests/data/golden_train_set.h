// The golden training set as tests read it: manifest, annotations, and a builder with the set's settings.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "data/data_config.h"
#include "data/record.h"
#include "data/sample_builder.h"
#include "support/golden_tensors.h"
#include "text/tokenizer.h"
#include "weights/model_config.h"

namespace vl3::data {

struct GoldenTrainSet {
  std::filesystem::path dir;
  Json manifest;
  weights::ModelConfig model;  ///< with the set's min_tokens
  std::shared_ptr<const text::Tokenizer> tokenizer;

  /// The set's settings: cut as the reference, decisions not balanced, nothing pruned.
  DataConfig config() const;
  SampleBuilder builder(const DataConfig& config) const { return {model, tokenizer, config}; }
  Json sample_json(const std::string& name) const;
  test::GoldenTensors tensors(const std::string& name) const;
};

/// Of golden_train_dir(), read once.
const GoldenTrainSet& golden_train_set();

/// The non-empty lines of data/<file> as records, in order.
std::vector<Record> golden_records(const std::string& file);

}  // namespace vl3::data
