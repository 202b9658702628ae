// Generated samples as a list of records: nothing is written to disk, each is drawn in the worker thread that
// builds it.
#pragma once

#include <memory>

#include "data/record_list.h"

namespace vl3::synth {
class Generator;
}

namespace vl3::data {

class SynthList final : public RecordList {
 public:
  /// @param source  its `synth` names a JSON file of generator options. @param list  for the records'
  /// origins.
  /// @throws Error(kNotFound), Error(kCorrupt) for the file; Error(kInvalidArgument) for its options.
  SynthList(const DataSource& source, int64_t list);

  int64_t size() const override { return size_; }
  Record record(int64_t index) const override;
  /// In the generator's own order, so that a curriculum (MixtureEntry::from) keeps its course.
  int64_t order(uint64_t seed, int64_t pass, int64_t k) const override;
  /// Of the options and of the fonts that are installed.
  std::string fingerprint() const override { return fingerprint_; }

 private:
  std::shared_ptr<const synth::Generator> generator_;
  int64_t size_, list_;
  std::string name_, fingerprint_;
};

}  // namespace vl3::data
