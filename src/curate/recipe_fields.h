// Every key of a curation recipe, once. kNumbers marks what scores may depend on (scoring_keys() says when):
// those may not change between runs over one output folder; thresholds may. Internal to recipe.cpp.
#pragma once

#include "core/recipe_rules.h"
#include "curate/curate_config.h"

namespace vl3::curate {

using recipe::Effect;
using recipe::Flag;
using recipe::kBig;
using recipe::Range;
using recipe::Text;

inline constexpr Effect kHandling = Effect::kHandling;

template <typename Visitor>
void visit_input(Visitor& v, InputConfig& input) {
  v.list("path", input.path, Text{});
  v.text("data_root", input.data_root, Text{});
  v.list("media_key", input.media_key, Text{});
  v.list("caption_key", input.caption_key, Text{});
  v.integer("shard_items", input.shard_items, Range{1, 1e6});
}

template <typename Visitor>
void visit_quality(Visitor& v, QualityConfig& quality) {
  v.number("min_contrast", quality.min_contrast, Range{0, 128, true, kHandling});
  v.number("min_entropy", quality.min_entropy, Range{0, 6, true, kHandling});
  v.number("max_blur", quality.max_blur, Range{0, 1, true, kHandling});
  v.number("min_sharpness", quality.min_sharpness, Range{0, 1e9, true, kHandling});
  v.number("max_dark_share", quality.max_dark_share, Range{0, 1, true, kHandling});
  v.number("max_bright_share", quality.max_bright_share, Range{0, 1, true, kHandling});
}

template <typename Visitor>
void visit_duplicates(Visitor& v, DuplicatesConfig& duplicates) {
  v.flag("exact", duplicates.exact, Flag{kHandling});
  v.integer("max_hash_distance", duplicates.max_hash_distance, Range{-1, 31, true, kHandling});
  v.number("max_thumb_mean", duplicates.max_thumb_mean, Range{0, 15, true, kHandling});
  v.integer("max_thumb_cell", duplicates.max_thumb_cell, Range{0, 15, true, kHandling});
  v.number("max_feature_cosine", duplicates.max_feature_cosine, Range{-1, 1, true, kHandling});
  v.integer("memory_bytes", duplicates.memory_bytes, Range{1 << 20, kBig, true, kHandling});
}

template <typename Visitor>
void visit_text(Visitor& v, TextConfig& text) {
  v.integer("min_chars", text.min_chars, Range{0, 1e9, true, kHandling});
  v.integer("max_chars", text.max_chars, Range{1, 1e9, true, kHandling});
  v.number("max_repetition", text.max_repetition, Range{0, 1, true, kHandling});
  v.number("max_symbol_share", text.max_symbol_share, Range{0, 1, true, kHandling});
  v.integer("max_template_items", text.max_template_items, Range{0, 1e12, true, kHandling});
  v.flag("require_caption", text.require_caption, Flag{kHandling});
}

template <typename Visitor>
void visit_scorer(Visitor& v, ScorerConfig& scorer) {
  v.text("name", scorer.name, Text{});
  v.text("kind", scorer.kind, Text{{"column", "torchscript", "onnx"}});
  v.text("column", scorer.column, Text{});
  v.text("path", scorer.path, Text{});
  v.integer("side", scorer.side, Range{1, 4096});
  v.list("mean", scorer.mean, Text{});
  v.list("std", scorer.std, Text{});
  v.number("min", scorer.min, Range{-kBig, kBig, true, kHandling});
  v.number("max", scorer.max, Range{-kBig, kBig, true, kHandling});
  v.flag("required", scorer.required, Flag{kHandling});
}

template <typename Visitor>
void visit_caption(Visitor& v, CaptionConfig& caption) {
  v.flag("short_caption", caption.short_caption, Flag{kHandling});
  v.flag("detailed_caption", caption.detailed_caption, Flag{kHandling});
  v.text("short_prompt", caption.short_prompt, Text{.effect = kHandling});
  v.text("detailed_prompt", caption.detailed_prompt, Text{.effect = kHandling});
  v.text("short_video_prompt", caption.short_video_prompt, Text{.effect = kHandling});
  v.text("detailed_video_prompt", caption.detailed_video_prompt, Text{.effect = kHandling});
  v.integer("max_tokens", caption.max_tokens, Range{1, 1e6, true, kHandling});
  v.integer("batch", caption.batch, Range{1, 1024, true, kHandling});
}

template <typename Visitor>
void visit_video(Visitor& v, VideoConfig& video) {
  v.number("sample_fps", video.sample_fps, Range{0, 1000, false});
  v.integer("max_frames", video.max_frames, Range{2, 1e6});
  v.number("cut_threshold", video.cut_threshold, Range{0, 1, false});
  v.number("still_threshold", video.still_threshold, Range{0, 255});
  v.number("max_static_share", video.max_static_share, Range{0, 1, true, kHandling});
  v.number("min_motion", video.min_motion, Range{0, 1000, true, kHandling});
  v.number("min_clip_s", video.min_clip_s, Range{0, 1e6});
  v.number("max_clip_s", video.max_clip_s, Range{0, 1e6, false});
}

template <typename Visitor>
void visit_recipe(Visitor& v, CurateConfig& config) {
  v.text("name", config.name, Text{.effect = kHandling});
  v.text("output", config.output, Text{.effect = kHandling});
  v.seed("seed", config.seed);
  v.integer("workers", config.workers, Range{0, 1024, true, kHandling});
  v.text("model", config.model, Text{});
  v.text("dtype", config.dtype, Text{{"auto", "float32", "bfloat16"}});
  v.text("device", config.device, Text{.effect = kHandling});
  v.text("features", config.features, Text{{"layout", "encoder"}});
  v.table("input", config.input, [](Visitor& inner, InputConfig& input) { visit_input(inner, input); });
  v.table("validity", config.validity, [](Visitor& inner, ValidityConfig& validity) {
    inner.integer("min_side", validity.min_side, Range{1, 1e6, true, kHandling});
    inner.integer("max_pixels", validity.max_pixels, Range{1, 178'956'970});
    inner.integer("max_bytes", validity.max_bytes, Range{1, kBig});
  });
  v.table("aspect", config.aspect, [](Visitor& inner, AspectConfig& aspect) {
    inner.number("max_ratio", aspect.max_ratio, Range{1, 1e6, true, kHandling});
  });
  v.table("quality", config.quality, [](Visitor& inner, QualityConfig& q) { visit_quality(inner, q); });
  v.table("duplicates", config.duplicates,
          [](Visitor& inner, DuplicatesConfig& duplicates) { visit_duplicates(inner, duplicates); });
  v.table("text", config.text, [](Visitor& inner, TextConfig& text) { visit_text(inner, text); });
  v.table("similarity", config.similarity, [](Visitor& inner, SimilarityConfig& similarity) {
    inner.number("min_gain", similarity.min_gain, Range{-1000, 1000, true, kHandling});
  });
  v.tables("scorers", config.scorers,
           [](Visitor& inner, ScorerConfig& scorer) { visit_scorer(inner, scorer); });
  v.table("clusters", config.clusters, [](Visitor& inner, ClustersConfig& clusters) {
    inner.integer("count", clusters.count, Range{0, 1e6, true, kHandling});
    inner.integer("target_items", clusters.target_items, Range{0, 1e12, true, kHandling});
    inner.integer("sample_items", clusters.sample_items, Range{1, 1e8, true, kHandling});
    inner.integer("iterations", clusters.iterations, Range{1, 1000, true, kHandling});
  });
  v.table("caption", config.caption,
          [](Visitor& inner, CaptionConfig& caption) { visit_caption(inner, caption); });
  v.table("video", config.video, [](Visitor& inner, VideoConfig& video) { visit_video(inner, video); });
  v.table("export", config.exports, [](Visitor& inner, ExportConfig& exports) {
    inner.text("format", exports.format, Text{{"official", "webdataset", "both", "none"}, kHandling});
    inner.text("caption", exports.caption,
               Text{{"source", "short", "detailed", "ocr", "grounding"}, kHandling});
    inner.text("prompt", exports.prompt, Text{.effect = kHandling});
    inner.integer("shard_items", exports.shard_items, Range{1, 1e9, true, kHandling});
  });
}

}  // namespace vl3::curate
