// Every sample of the golden training set, built from its annotation and media.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/golden_train_set.h"
#include "media/image_reader.h"

namespace vl3::data {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Record> records_by_id() {
  std::map<std::string, Record> records;
  for (Record& record : golden_records("annotations.jsonl")) {
    const std::string id = record_id(parse_json(record.load().json, "annotation"));
    records[id] = std::move(record);
  }
  return records;
}

/// One golden sample: an id, and image_merge_size 1 or, for its ".im2" form, 2.
struct GoldenName {
  std::string name;
  std::string id;
  int64_t image_merge = 1;
};

std::vector<GoldenName> golden_names() {
  std::vector<GoldenName> names;
  const GoldenTrainSet& set = golden_train_set();
  for (const Json& id : set.manifest.at("samples")) {
    const std::string name = id.get<std::string>();
    names.push_back({name, name, set.manifest.at("config").at("image_merge_size")});
    if (fs::exists(set.dir / "samples" / (name + ".im2.json"))) names.push_back({name + ".im2", name, 2});
  }
  return names;
}

/// The record with its video replaced by the set's own decoded frames, for decoders that differ by a level.
Record with_golden_frames(const Record& record, const std::string& id, const Json& media) {
  Record replaced = record;
  replaced.load = [record, id, media] {
    RecordContent content = record.load();
    auto pictures = std::make_shared<preprocess::Pictures>();
    for (const auto& path : media::list_frames(golden_train_set().dir / "frames" / id)) {
      pictures->frames.push_back(media::read_image(media::open_media(path.string()), Flow::kRemote));
    }
    pictures->timestamps = media.at("timestamps").get<std::vector<double>>();
    pictures->frames.resize(pictures->timestamps.size());
    content.media[media.at("file").get<std::string>()] =
        std::shared_ptr<const preprocess::Pictures>(pictures);
    return content;
  };
  return replaced;
}

std::vector<uint8_t> all_patches(const Sample& sample) {
  std::vector<uint8_t> bytes;
  for (const VisualMedium& medium : sample.media) {
    bytes.insert(bytes.end(), medium.patches_u8.begin(), medium.patches_u8.end());
  }
  return bytes;
}

std::vector<int64_t> all_keep(const Sample& sample) {
  std::vector<int64_t> keep;
  for (const VisualMedium& medium : sample.media)
    keep.insert(keep.end(), medium.keep.begin(), medium.keep.end());
  return keep;
}

void expect_equal(const Sample& sample, const std::string& prefix, const test::GoldenTensors& golden) {
  EXPECT_EQ(sample.input_ids, golden.at(prefix + "input_ids").integers());
  EXPECT_EQ(sample.labels, golden.at(prefix + "labels").integers());
  // Positions count up from 0; nothing else could be packed.
  EXPECT_EQ(static_cast<int64_t>(sample.input_ids.size()), golden.at(prefix + "position_ids").shape[0]);
}

class GoldenSample : public testing::Test {
 protected:
  std::map<std::string, Record> records_ = records_by_id();
};

TEST_F(GoldenSample, IdsLabelsMasksGridsAndPatchesAreExact) {
  const GoldenTrainSet& set = golden_train_set();
  const int64_t image_token = set.manifest.at("image_token_id");
  ASSERT_EQ(set.model.image_token_id, image_token);
  int64_t replaced = 0;
  for (const GoldenName& one : golden_names()) {
    SCOPED_TRACE(one.name);
    ASSERT_TRUE(records_.contains(one.id));
    const Json json = set.sample_json(one.name);
    const test::GoldenTensors golden = set.tensors(one.name);
    DataConfig config = set.config();
    config.image_merge_size = one.image_merge;
    Record record = records_.at(one.id);
    Sample whole = set.builder(config).build(record);
    if (!whole.media.empty() && all_patches(whole) != golden.at("patches_u8").as<uint8_t>() &&
        fs::exists(set.dir / "frames" / one.id)) {
      ++replaced;
      record = with_golden_frames(record, one.id, json.at("media")[0]);
      whole = set.builder(config).build(record);
    }
    config.use_token_compression = true;
    const Sample pruned = set.builder(config).build(record);

    EXPECT_EQ(whole.id, json.at("id").get<std::string>().substr(0, one.id.size()));
    expect_equal(whole, "", golden);
    expect_equal(pruned, "pruned.", golden);
    EXPECT_EQ(whole.tokens_before_cut, json.at("tokens_before_cut"));
    EXPECT_EQ(whole.labelled_tokens, json.at("labelled_tokens"));
    EXPECT_EQ(static_cast<int64_t>(pruned.input_ids.size()), json.at("tokens_after_pruning"));
    if (json.at("pseudo_image")) {
      EXPECT_TRUE(whole.media.empty());
      continue;
    }
    ASSERT_EQ(whole.media.size(), json.at("media").size());
    std::vector<int64_t> grids, merges;
    for (const VisualMedium& medium : whole.media) {
      grids.insert(grids.end(), {medium.grid.t, medium.grid.h, medium.grid.w});
      merges.push_back(medium.merge);
    }
    EXPECT_EQ(grids, golden.at("grid_sizes").integers());
    EXPECT_EQ(merges, golden.at("merge_sizes").integers());
    EXPECT_TRUE(all_patches(whole) == golden.at("patches_u8").as<uint8_t>()) << "patches differ";
    const int64_t left = json.at("visual_tokens_left_after_cut");
    std::vector<int64_t> mask = golden.at("compression_mask").integers();
    std::fill(mask.begin() + left, mask.end(), 0);
    EXPECT_EQ(all_keep(pruned), mask);
    EXPECT_EQ(std::ranges::count(all_keep(whole), 1), left);
    for (const Sample* sample : std::initializer_list<const Sample*>{&whole, &pruned}) {
      std::vector<int64_t> positions;
      for (size_t i = 0; i < sample->input_ids.size(); ++i) {
        if (sample->input_ids[i] == image_token) positions.push_back(static_cast<int64_t>(i));
      }
      EXPECT_EQ(sample->visual_positions, positions);
      EXPECT_EQ(std::ranges::count(all_keep(*sample), 1), static_cast<int64_t>(positions.size()));
    }
  }
  RecordProperty("samples_with_golden_frames", static_cast<int>(replaced));
  if (replaced > 0) GTEST_LOG_(INFO) << replaced << " samples needed the set's decoded frames";
}

TEST_F(GoldenSample, StreamFormWithANewlineIsExact) {
  const GoldenTrainSet& set = golden_train_set();
  DataConfig config = set.config();
  config.stream_newline = true;
  config.model_max_length = 1 << 20;  // this form is not cut
  for (const GoldenName& one : golden_names()) {
    if (one.name != one.id) continue;
    const test::GoldenTensors golden = set.tensors(one.name);
    if (!golden.has("alt.stream_newline.input_ids")) continue;
    SCOPED_TRACE(one.name);
    const Sample sample = set.builder(config).build(records_.at(one.id));
    EXPECT_EQ(sample.input_ids, golden.at("alt.stream_newline.input_ids").integers());
    std::vector<int64_t> labels = golden.at("alt.stream_newline.labels").integers();
    labels[0] = kIgnoreIndex;
    EXPECT_EQ(sample.labels, labels);
  }
}

TEST_F(GoldenSample, BalancingLeavesEqualNumbersOfEachDecision) {
  const GoldenTrainSet& set = golden_train_set();
  DataConfig config = set.config();
  config.balance_stream_labels = true;
  for (const GoldenName& one : golden_names()) {
    const Json json = set.sample_json(one.name);
    if (one.name != one.id || !json.contains("stream_decisions")) continue;
    if (json.at("tokens_before_cut") != json.at("tokens")) continue;  // decisions beyond the cut are gone
    SCOPED_TRACE(one.name);
    const size_t wanted = json.at("stream_decisions").at("keep_per_type_when_balanced");
    const std::vector<int64_t> all = set.tensors(one.name).at("labels").integers();
    std::set<std::vector<int64_t>> choices;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      Record record = records_.at(one.id);
      record.seed = seed;
      const Sample sample = set.builder(config).build(record);
      EXPECT_EQ(sample.labels, set.builder(config).build(record).labels) << "not the same twice";
      std::vector<int64_t> undecided = all;
      for (const auto& [token, positions] : json.at("stream_decisions").at("positions_by_token_id").items()) {
        size_t kept = 0;
        for (const size_t at : positions.get<std::vector<size_t>>()) {
          kept += sample.labels[at] != kIgnoreIndex;
          if (sample.labels[at] == kIgnoreIndex) undecided[at] = kIgnoreIndex;
        }
        EXPECT_EQ(kept, wanted) << "token " << token;
      }
      EXPECT_EQ(sample.labels, undecided) << "something else than decisions changed";
      choices.insert(sample.labels);
    }
    for (const auto& [token, positions] : json.at("stream_decisions").at("positions_by_token_id").items()) {
      EXPECT_TRUE(positions.size() <= wanted || choices.size() > 1) << "eight seeds, one choice";
    }
  }
}

/// "" for a sample that builds, else its kind.
std::string kind_of(const SampleBuilder& builder, const Record& record, std::string* message = nullptr) {
  try {
    builder.build(record);
  } catch (const BadSample& bad) {
    if (message != nullptr) *message = bad.what();
    return bad_kind_name(bad.kind());
  }
  return "";
}

TEST_F(GoldenSample, EveryBadSampleHasItsExpectedKind) {
  const GoldenTrainSet& set = golden_train_set();
  const SampleBuilder builder = set.builder(set.config());
  const Json expected = read_json_file(set.dir / "data" / "expected_errors.json");
  const std::vector<Record> bad = golden_records("annotations_bad.jsonl");
  ASSERT_EQ(bad.size(), expected.at("annotations_bad.jsonl").size());
  for (size_t i = 0; i < bad.size(); ++i) {
    const Json& one = expected.at("annotations_bad.jsonl")[i];
    SCOPED_TRACE(one.dump());
    std::string message;
    const auto kinds = one.at("kinds").get<std::vector<std::string>>();
    EXPECT_TRUE(std::ranges::count(kinds, kind_of(builder, bad[i], &message))) << message;
    EXPECT_NE(message.find("annotations_bad.jsonl:" + std::to_string(i + 1)), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST_F(GoldenSample, GoodLinesOfAMixedFileSurviveTheBadOnes) {
  const GoldenTrainSet& set = golden_train_set();
  const SampleBuilder builder = set.builder(set.config());
  const Json expected = read_json_file(set.dir / "data" / "expected_errors.json");
  std::map<int64_t, std::vector<std::string>> kinds;
  for (const Json& one : expected.at("annotations_mixed.jsonl")) {
    kinds[one.at("line").get<int64_t>()] = one.at("kinds").get<std::vector<std::string>>();
  }
  for (const Json& line : expected.at("good_lines_of_mixed")) kinds[line.get<int64_t>()] = {""};
  const std::vector<Record> mixed = golden_records("annotations_mixed.jsonl");
  ASSERT_EQ(mixed.size(), kinds.size());
  for (const Record& record : mixed) {
    const std::string kind = kind_of(builder, record);
    EXPECT_TRUE(std::ranges::count(kinds.at(record.origin.line), kind))
        << record.origin.where() << ": " << kind;
  }
}

}  // namespace
}  // namespace vl3::data
