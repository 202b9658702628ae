// Every option of a curation, as plain structs; a recipe's keys are these members (docs/guides/curate.md).
// Where the paper publishes a value it is named; all other defaults are ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vl3::curate {

struct InputConfig {
  std::vector<std::string> path;  ///< folders, .jsonl, .json, WebDataset .tar (also *, ? and [...])
  std::string data_root;          ///< before relative media paths; nothing outside of it is opened
  /// Keys tried in turn, besides the official `image`/`video` and `conversations`.
  std::vector<std::string> media_key = {"image", "video", "image_path", "file_name", "path"};
  std::vector<std::string> caption_key = {"caption", "text", "alt_text", "TEXT"};
  int64_t shard_items = 1000;  ///< items that are scored, written and resumed together
};

struct ValidityConfig {
  int64_t min_side = 28;             ///< pixels; two patches of 14
  int64_t max_pixels = 100'000'000;  ///< by the header, before memory is taken
  int64_t max_bytes = 64ll << 20;    ///< of a still; a video is only bounded by media's own limits
};

/// The paper drops extreme ratios and keeps its threshold to itself (section 2.3, step 1).
struct AspectConfig {
  double max_ratio = 3;  ///< long side over short one
};

/// The paper scores with an aesthetic model it does not name; the built-in measures take its place.
struct QualityConfig {
  double min_contrast = 3;          ///< deviation of the channel that varies most, levels of 255
  double min_entropy = 0;           ///< bits of the luma histogram of 64 bins
  double max_blur = 0.6;            ///< 0 sharp … 1 blurred (Crété et al., 2007)
  double min_sharpness = 0;         ///< variance of the Laplacian of luma
  double max_dark_share = 0.995;    ///< of pixels below 16
  double max_bright_share = 0.995;  ///< of pixels above 252
};

struct DuplicatesConfig {
  bool exact = true;  ///< equal bytes
  /// Of 256 bits; below 0 turns near duplicates off. Up to 15 the search grows with items^2 / 8192, up to 31
  /// with items^2 / 480.
  int64_t max_hash_distance = 28;
  double max_thumb_mean = 0.8;         ///< mean difference of the 8 x 8 thumbnails, levels of 16
  int64_t max_thumb_cell = 3;          ///< the same of the cell that differs most
  double max_feature_cosine = 1;       ///< within a cluster; 1 = off. 0.97 suits encoder features
  int64_t memory_bytes = 256ll << 20;  ///< of what is sorted at once; more is done in parts
};

struct TextConfig {
  int64_t min_chars = 3;
  int64_t max_chars = 4000;
  double max_repetition = 0.5;    ///< share of words taken by the commonest word pair; from 8 words on
  double max_symbol_share = 0.5;  ///< of characters that are neither letters, digits, blanks nor punctuation
  int64_t max_template_items = 50;  ///< captions alike but for their digits; further ones go. 0 = no bound
  bool require_caption = false;     ///< drop items without one (they may be re-captioned)
};

/// Text against picture. Source: paper section 2.3, step 3, has CLIP cosine against a BLIP2 caption.
struct SimilarityConfig {
  /// Nats a token that the picture adds to the caption's log-likelihood, over a grey picture; unset: not a
  /// filter.
  std::optional<double> min_gain;
};

inline constexpr size_t kMaxScorers = 255;

/// Scores that come from outside.
struct ScorerConfig {
  std::string name;
  std::string kind = "column";  ///< "column" of the input, "torchscript" or "onnx" model of the picture
  std::string column;           ///< of "column": the key; "" = name
  std::string path;             ///< of models: the file
  int64_t side = 224;           ///< models get float32 [B, 3, side, side]
  std::vector<std::string> mean = {"0.48145466", "0.4578275", "0.40821073"};  ///< CLIP's
  std::vector<std::string> std = {"0.26862954", "0.26130258", "0.27577711"};
  std::optional<double> min, max;  ///< kept from min to max
  bool required = false;           ///< an item without the score is dropped
};

/// The paper finds centres in CLIP features and takes a fixed number a cluster (step 4); k and quota are not
/// published.
struct ClustersConfig {
  int64_t count = 0;              ///< 0 = sqrt(items)
  int64_t target_items = 0;       ///< 0 = no quota; else quota = ceil(target / clusters)
  int64_t sample_items = 65'536;  ///< that the centres are found on
  int64_t iterations = 20;
};

struct CaptionConfig {
  bool short_caption = false;
  bool detailed_caption = false;
  std::string short_prompt = "Describe the image in one short sentence.";
  std::string detailed_prompt = "Describe the image in detail.";
  std::string short_video_prompt = "Describe the video in one short sentence.";
  std::string detailed_video_prompt = "Describe the video in detail.";
  int64_t max_tokens = 256;
  int64_t batch = 8;  ///< captions made at once
};

struct VideoConfig {
  double sample_fps = 2;          ///< frames a second that are looked at
  int64_t max_frames = 600;       ///< of them
  double cut_threshold = 0.35;    ///< on the distance of colour histograms, 0 … 1
  double still_threshold = 1.0;   ///< mean difference in grey levels below which nothing moved
  double max_static_share = 0.9;  ///< of frame pairs that stand still
  double min_motion = 0;          ///< picture widths a second that textured blocks move
  double min_clip_s = 1;          ///< the chosen clip, between two cuts
  double max_clip_s = 120;
};

struct ExportConfig {
  std::string format = "official";  ///< "official", "webdataset", "both", "none"
  std::string caption = "source";   ///< "source", "short", "detailed", "ocr", "grounding"
  std::string prompt;               ///< the user's turn; "" = varied: a short or a detailed request
  int64_t shard_items = 10'000;     ///< a tar
};

struct CurateConfig {
  std::string name;
  std::string output;
  uint64_t seed = 0;
  int64_t workers = 0;         ///< threads that decode; 0 = one a core
  std::string model = "none";  ///< checkpoint whose encoder gives features and whose decoder judges captions
  std::string dtype = "auto";
  std::string device = "cpu";
  std::string features = "layout";  ///< "layout" (built in) or "encoder"
  InputConfig input;
  ValidityConfig validity;
  AspectConfig aspect;
  QualityConfig quality;
  DuplicatesConfig duplicates;
  TextConfig text;
  SimilarityConfig similarity;
  std::vector<ScorerConfig> scorers;
  ClustersConfig clusters;
  CaptionConfig caption;
  VideoConfig video;
  ExportConfig exports;
};

}  // namespace vl3::curate
