// Every micro-batch of the golden training set, packed from its samples.
#include <gtest/gtest.h>

#include <map>

#include "data/golden_train_set.h"
#include "data/packing.h"

namespace vl3::data {
namespace {

TEST(GoldenRow, IdsLabelsPositionsAndMasksAreExact) {
  const GoldenTrainSet& set = golden_train_set();
  std::map<std::string, Record> records;
  for (Record& record : golden_records("annotations.jsonl")) {
    records[record_id(parse_json(record.load().json, "annotation"))] = std::move(record);
  }
  const Json batches = read_json_file(set.dir / "micro_batches" / "micro_batches.json");
  ASSERT_FALSE(batches.empty());
  for (const auto& [key, batch] : batches.items()) {
    SCOPED_TRACE(key);
    DataConfig config = set.config();
    config.image_merge_size = batch.at("image_merge");
    config.use_token_compression = batch.at("prune");
    const SampleBuilder builder = set.builder(config);
    std::vector<Sample> samples;
    std::vector<int64_t> grids, merges, keep;
    for (const Json& id : batch.at("samples")) {
      Sample sample = builder.build(records.at(id.get<std::string>()));
      for (const VisualMedium& medium : sample.media) {
        grids.insert(grids.end(), {medium.grid.t, medium.grid.h, medium.grid.w});
        merges.push_back(medium.merge);
        keep.insert(keep.end(), medium.keep.begin(), medium.keep.end());
      }
      if (sample.media.empty()) {  // the reference's pseudo image, whose one token is dropped
        grids.insert(grids.end(), {1, config.image_merge_size, config.image_merge_size});
        merges.push_back(config.image_merge_size);
        keep.push_back(0);
      }
      samples.push_back(std::move(sample));
    }
    const PackedRow row = make_row(std::move(samples));
    const test::GoldenTensors golden(set.dir / "micro_batches" / (key + ".batch.safetensors"));
    EXPECT_EQ(row.input_ids, golden.at("input_ids").integers());
    EXPECT_EQ(row.cu_seqlens, golden.at("cu_seqlens").integers());
    EXPECT_EQ(grids, golden.at("grid_sizes").integers());
    EXPECT_EQ(merges, golden.at("merge_sizes").integers());
    EXPECT_EQ(keep, golden.at("feature_keep").integers());
    EXPECT_EQ(row.labelled_tokens, batch.at("labelled_tokens"));
    std::vector<int64_t> labels = golden.at("labels").integers();
    std::vector<int64_t> positions;
    for (size_t s = 0; s + 1 < row.cu_seqlens.size(); ++s) {
      labels[static_cast<size_t>(row.cu_seqlens[s])] = kIgnoreIndex;
      for (int64_t i = row.cu_seqlens[s]; i < row.cu_seqlens[s + 1]; ++i)
        positions.push_back(i - row.cu_seqlens[s]);
    }
    EXPECT_EQ(row.labels, labels);
    EXPECT_EQ(positions, golden.at("position_ids").integers());
    std::vector<int64_t> visual;
    for (size_t i = 0; i < row.input_ids.size(); ++i) {
      if (row.input_ids[i] == set.model.image_token_id) visual.push_back(static_cast<int64_t>(i));
    }
    EXPECT_EQ(row.visual_positions, visual);
  }
}

}  // namespace
}  // namespace vl3::data
