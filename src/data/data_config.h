// What a recipe says about its data: lists of annotations and how they become rows of tokens. Plain structs;
// field names are the recipe's keys and, where there is one, the official script's flags (spec/training.md
// 9).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vl3::data {

/// One list of annotations.
struct DataSource {
  std::vector<std::string> data_path;  ///< .json, .jsonl or .tar files (globs allowed)
  /// Instead of files: samples generated while training, by the options of this JSON file (`vl3 synth
  /// --options`); sample i of a pass is the generator's i-th.
  std::string synth;
  int64_t synth_samples = 1'000'000;  ///< of one pass
  std::string data_folder;      ///< put before relative media paths; default: the annotation file's folder
  std::string format = "auto";  ///< "auto" (by extension and keys), "official", "messages", "webdataset"
  double weight = 1.0;          ///< passes over this list in one epoch; 0.5 = a different half each epoch
};

struct DataConfig {
  std::vector<DataSource> sources;
  int64_t image_merge_size = 1, video_merge_size = 2;
  double fps = 1.0;
  int64_t max_frames = 180;
  int64_t mm_max_length = 10240;     ///< visual tokens a sample (drives resizing)
  int64_t model_max_length = 16384;  ///< tokens a sample
  /// A sample longer than that: "skip" (and report), "cut" (as the official code).
  std::string over_length = "skip";
  bool use_token_compression = false;
  double prune_threshold = 0.1;
  bool balance_stream_labels = true;
  /// Which tokens of a stream are learned as decisions: "next_message", the first token of the message after
  /// a frame (<|stream_start|> = go on watching, <|im_start|> = somebody speaks); "stream_end", as the first
  /// official trainer: the token after each picture and <|stream_end|>.
  std::string stream_rule = "next_message";
  bool stream_newline = false;     ///< a newline after <|stream_end|>, as the official training template
  std::string packing = "budget";  ///< "budget": rows of at most row_tokens; "samples": row_samples a row
  int64_t row_tokens = 16384;
  int64_t row_samples = 2;
  int64_t shuffle_window = 10'000;  ///< records (WebDataset)
  int64_t dataloader_num_workers = 2;
  int64_t prefetch_bytes = 512 << 20;  ///< samples held ready; a whole step where that is more
  double sample_timeout_s = 60;
  double max_bad_share = 0.05;  ///< of the samples seen; more stops the run
};

}  // namespace vl3::data
