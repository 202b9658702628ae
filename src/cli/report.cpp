#include "cli/report.h"

#include <fmt/format.h>

#include <cmath>

#include "core/printable.h"

namespace vl3::cli {
namespace {

double rounded(double seconds) { return std::round(seconds * 1e4) / 1e4; }

OrderedJson to_json(const MediumReceipt& medium) {
  OrderedJson json = {{"name", medium.name},
                      {"kind", medium.kind},
                      {"size", {{"height", medium.height}, {"width", medium.width}}},
                      {"resized", {{"height", medium.resized_height}, {"width", medium.resized_width}}}};
  if (medium.duration_s) json["duration_s"] = rounded(*medium.duration_s);
  int64_t tokens = 0, kept = 0;
  OrderedJson frames = OrderedJson::array();
  for (const FrameReceipt& frame : medium.frames) {
    OrderedJson entry;
    if (frame.source_index >= 0) entry["source_index"] = frame.source_index;
    if (frame.time_s) entry["time_s"] = *frame.time_s;
    entry["tokens"] = frame.tokens;
    entry["kept"] = frame.kept;
    frames.push_back(std::move(entry));
    tokens += frame.tokens;
    kept += frame.kept;
  }
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

std::string media_lines(const std::vector<MediumReceipt>& media, bool pruning_known) {
  std::string lines;
  for (const MediumReceipt& medium : media) {
    int64_t tokens = 0, kept = 0;
    for (const FrameReceipt& frame : medium.frames) tokens += frame.tokens, kept += frame.kept;
    lines += fmt::format("  {} {}: {}x{} -> {}x{}", medium.kind, printable(medium.name), medium.width,
                         medium.height, medium.resized_width, medium.resized_height);
    if (medium.kind == "video") {
      lines += fmt::format(", {} frames", medium.frames.size());
      if (!medium.frames.empty() && medium.frames.front().time_s) {
        lines += fmt::format(" ({:.1f} s to {:.1f} s", *medium.frames.front().time_s,
                             *medium.frames.back().time_s);
        if (medium.duration_s) lines += fmt::format(" of {:.1f} s", *medium.duration_s);
        lines += ")";
      }
    }
    lines += fmt::format(", {} tokens", tokens);
    if (pruning_known && medium.kind == "video") lines += fmt::format(", {} kept", kept);
    lines += "\n";
  }
  return lines;
}

double mib(uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

}  // namespace

OrderedJson to_json(const Answer& answer) {
  const Receipt& receipt = answer.receipt;
  const SecondsReceipt& s = receipt.seconds;
  OrderedJson json = {
      {"answer", answer.text}, {"token_ids", answer.token_ids}, {"finish_reason", answer.finish_reason}};
  json["receipt"] = {{"media", media_json(receipt.media)},
                     {"prompt_tokens", receipt.prompt_tokens},
                     {"visual_tokens", receipt.visual_tokens},
                     {"visual_tokens_kept", receipt.visual_tokens_kept},
                     {"prune_threshold", receipt.prune_threshold},
                     {"cached_tokens", receipt.cached_tokens},
                     {"completion_tokens", receipt.completion_tokens},
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
  return json;
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
          {"fits", plan.fits},
          {"notes", plan.notes},
          {"warnings", plan.warnings}};
}

std::string receipt_text(const Receipt& receipt) {
  const SecondsReceipt& s = receipt.seconds;
  std::string text = media_lines(receipt.media, true);
  text += fmt::format("  tokens: {} prompt ({} visual, {} before pruning; {} cached), {} answer\n",
                      receipt.prompt_tokens, receipt.visual_tokens_kept, receipt.visual_tokens,
                      receipt.cached_tokens, receipt.completion_tokens);
  text += fmt::format(
      "  seconds: open {:.2f}, decode {:.2f} and preprocess {:.2f} beside encode {:.2f}, prefill {:.2f}, "
      "generate "
      "{:.2f}; first token {:.2f}, total {:.2f} (model loaded in {:.2f})\n",
      s.open, s.decode, s.preprocess, s.encode, s.prefill, s.generate, s.first_token, s.total, s.load);
  text += fmt::format("  peak memory: {:.0f} MiB\n", mib(receipt.peak_rss_bytes));
  for (const std::string& warning : receipt.warnings) text += fmt::format("  note: {}\n", printable(warning));
  return text;
}

std::string plan_text(const Plan& plan) {
  std::string text = media_lines(plan.media, plan.pruning_known);
  text += fmt::format("  tokens: {} prompt, {} of them visual", plan.prompt_tokens, plan.visual_tokens_kept);
  text += plan.pruning_known ? fmt::format(" ({} before pruning at threshold {:g})\n", plan.visual_tokens,
                                           plan.prune_threshold)
                             : " (before pruning; --measure counts what is kept)\n";
  text +=
      fmt::format("  memory: {:.0f} MiB at the peak ({:.0f} weights, {:.0f} cache, {:.0f} work)\n",
                  mib(plan.peak_ram_bytes), mib(plan.weight_bytes), mib(plan.kv_bytes), mib(plan.work_bytes));
  text += fmt::format("  first token: about {:.1f} s here ({:.1f} of them decoding and resizing)\n",
                      plan.first_token_seconds, plan.decode_seconds);
  for (const std::string& note : plan.notes) text += fmt::format("  does not fit: {}\n", printable(note));
  return text;
}

}  // namespace vl3::cli
