#include "engine/report_json.h"

#include <cmath>

#include "engine/visual_count.h"

namespace vl3::engine {
namespace {

double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

OrderedJson to_json(const MediumReceipt& medium) {
  OrderedJson json = {{"name", medium.name},
                      {"kind", medium.kind},
                      {"size", {{"height", medium.height}, {"width", medium.width}}},
                      {"resized", {{"height", medium.resized_height}, {"width", medium.resized_width}}}};
  if (medium.duration_s) json["duration_s"] = rounded(*medium.duration_s);
  OrderedJson frames = OrderedJson::array();
  for (const FrameReceipt& frame : medium.frames) {
    OrderedJson entry;
    if (frame.source_index >= 0) entry["source_index"] = frame.source_index;
    if (frame.time_s) entry["time_s"] = *frame.time_s;
    entry["tokens"] = frame.tokens;
    entry["kept"] = frame.kept;
    frames.push_back(std::move(entry));
  }
  const auto [tokens, kept] = count_visual(medium);
  json["tokens"] = tokens;
  json["kept"] = kept;
  json["frames"] = std::move(frames);
  return json;
}

OrderedJson media_json(const std::vector<MediumReceipt>& media) {
  OrderedJson list = OrderedJson::array();
  for (const MediumReceipt& medium : media) list.push_back(to_json(medium));
  return list;
}

}  // namespace

OrderedJson to_json(const Receipt& receipt) {
  const SecondsReceipt& s = receipt.seconds;
  return {{"media", media_json(receipt.media)},
          {"prompt_tokens", receipt.prompt_tokens},
          {"visual_tokens", receipt.visual_tokens},
          {"visual_tokens_kept", receipt.visual_tokens_kept},
          {"prune_threshold", receipt.prune_threshold},
          {"cached_tokens", receipt.cached_tokens},
          {"completion_tokens", receipt.completion_tokens},
          {"drafted_tokens", receipt.drafted_tokens},
          {"accepted_tokens", receipt.accepted_tokens},
          {"seconds",
           {{"load", rounded(s.load)},
            {"open", rounded(s.open)},
            {"decode", rounded(s.decode)},
            {"preprocess", rounded(s.preprocess)},
            {"encode", rounded(s.encode)},
            {"prefill", rounded(s.prefill)},
            {"generate", rounded(s.generate)},
            {"first_token", rounded(s.first_token)},
            {"total", rounded(s.total)}}},
          {"peak_rss_bytes", receipt.peak_rss_bytes},
          {"warnings", receipt.warnings}};
}

OrderedJson to_json(const Plan& plan) {
  return {{"media", media_json(plan.media)},
          {"pruning_known", plan.pruning_known},
          {"prune_threshold", plan.prune_threshold},
          {"prompt_tokens", plan.prompt_tokens},
          {"visual_tokens", plan.visual_tokens},
          {"visual_tokens_kept", plan.visual_tokens_kept},
          {"patches", plan.patches},
          {"max_position_embeddings", plan.max_position_embeddings},
          {"memory",
           {{"weight_bytes", plan.weight_bytes},
            {"kv_bytes", plan.kv_bytes},
            {"work_bytes", plan.work_bytes},
            {"peak_ram_bytes", plan.peak_ram_bytes}}},
          {"decode_seconds", rounded(plan.decode_seconds)},
          {"first_token_seconds", rounded(plan.first_token_seconds)},
          {"token_seconds", plan.token_seconds},
          {"fits", plan.fits},
          {"notes", plan.notes},
          {"warnings", plan.warnings}};
}

}  // namespace vl3::engine
