// Walks the golden benchmarks: a data root, a model's made-up responses, and what the official classes say.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "eval/benchmark.h"

namespace vl3::eval {

struct GoldenBenchmark {
  std::string name;
  std::filesystem::path root;  ///< the data root
  Json expected, responses;

  const Benchmark& benchmark() const { return find_benchmark(paper_benchmarks(), name); }
  Dataset load(Defects defects) const { return benchmark().load(root, defects); }
};

/// Names of the set's benchmarks, sorted; a single "" where there is no set, so that the suite is not empty.
std::vector<std::string> golden_names();
GoldenBenchmark read_golden(const std::string& name);

/// For INSTANTIATE_TEST_SUITE_P.
std::string golden_test_name(const testing::TestParamInfo<std::string>& info);

/// Numbers within 1e-6 relative to what stands there, everything else equal. "" or where they differ.
std::string difference(const Json& expected, const Json& found, const std::string& where = "");

}  // namespace vl3::eval
