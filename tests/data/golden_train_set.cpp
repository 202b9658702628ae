#include "data/golden_train_set.h"

#include <sstream>

#include "core/file.h"
#include "support/temp_dir.h"

namespace vl3::data {

DataConfig GoldenTrainSet::config() const {
  const Json& golden = manifest.at("config");
  DataConfig config;
  config.image_merge_size = golden.at("image_merge_size");
  config.video_merge_size = golden.at("video_merge_size");
  config.fps = golden.at("fps");
  config.max_frames = golden.at("max_frames");
  config.mm_max_length = golden.at("mm_max_length");
  config.model_max_length = golden.at("model_max_length");
  config.prune_threshold = golden.at("difffp_threshold");
  config.over_length = "cut";
  config.balance_stream_labels = false;
  return config;
}

Json GoldenTrainSet::sample_json(const std::string& name) const {
  return read_json_file(dir / "samples" / (name + ".json"));
}

test::GoldenTensors GoldenTrainSet::tensors(const std::string& name) const {
  return test::GoldenTensors(dir / "samples" / (name + ".safetensors"));
}

const GoldenTrainSet& golden_train_set() {
  static const GoldenTrainSet set = [] {
    GoldenTrainSet out;
    out.dir = test::golden_train_dir();
    out.manifest = read_json_file(out.dir / "manifest.json");
    out.model = weights::load_model_config(out.dir / "model");
    out.model.preprocess.min_tokens = out.manifest.at("config").at("min_tokens");
    out.tokenizer = std::make_shared<const text::Tokenizer>(text::Tokenizer::load(out.dir / "model"));
    return out;
  }();
  return set;
}

std::vector<Record> golden_records(const std::string& file) {
  const std::filesystem::path path = golden_train_set().dir / "data" / file;
  std::istringstream lines(read_file(path, 1u << 30));
  std::vector<Record> records;
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    Record& record = records.emplace_back();
    record.origin = {path.string(), number, 0};
    record.position = static_cast<int64_t>(records.size()) - 1;
    record.load = [line, root = path.parent_path()] {
      RecordContent content;
      content.json = line;
      content.media_root = root;
      return content;
    };
  }
  return records;
}

}  // namespace vl3::data
