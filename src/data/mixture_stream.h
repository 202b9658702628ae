// Several lists with weights as one endless order of records, epoch after epoch. Which record comes where
// follows from seed and position alone, so that any process can go on anywhere. Not thread-safe.
//
// Note: the order. In epoch e a list of n records and weight w gives floor((e+1)wn) - floor(ewn) records,
// taken one after the other from its passes, each of which has every record once in a random order: weight 2
// is two whole passes, weight 0.5 one half this time and the other half next time. The lists' records are
// mixed at random.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/data_config.h"
#include "data/record_list.h"

namespace vl3::data {

class MixtureStream final : public RecordStream {
 public:
  /// @param weights  one a list, above 0. @param epochs  how many it lasts, parts too; 0: for ever.
  MixtureStream(std::vector<std::shared_ptr<const RecordList>> lists, std::vector<double> weights,
                uint64_t seed, double epochs);

  std::optional<Record> next() override;
  Json state() const override;
  void restore(const Json& state) override;
  int64_t total_records() const override { return total_; }

  int64_t records_of_epoch(int64_t epoch) const;
  /// On average, which weights may make a fraction.
  double records_per_epoch() const;

 private:
  int64_t taken_before(size_t list, int64_t epoch) const;
  void begin_epoch(int64_t epoch);

  std::vector<std::shared_ptr<const RecordList>> lists_;
  std::vector<double> weights_;
  uint64_t seed_;
  int64_t total_ = 0;
  int64_t epoch_ = 0;
  int64_t in_epoch_ = 0;        // records of the epoch that were given
  int64_t position_ = 0;        // of the whole run
  std::vector<int64_t> ends_;   // of each list among the epoch's records, before they are mixed
  std::vector<int64_t> given_;  // of each list in this epoch
};

/// The stream of a recipe's data. @throws as open_record_list().
std::unique_ptr<MixtureStream> open_mixture(const DataConfig& config, uint64_t seed, double epochs);

}  // namespace vl3::data
