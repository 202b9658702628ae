#include "cli/report.h"

#include <fmt/format.h>

#include <cmath>

#include "core/printable.h"
#include "engine/report_json.h"
#include "engine/visual_count.h"

namespace vl3::cli {
namespace {

std::string media_lines(const std::vector<MediumReceipt>& media, bool pruning_known) {
  std::string lines;
  for (const MediumReceipt& medium : media) {
    const auto [tokens, kept] = engine::count_visual(medium);
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
  return {{"answer", answer.text},
          {"token_ids", answer.token_ids},
          {"finish_reason", answer.finish_reason},
          {"receipt", engine::to_json(answer.receipt)}};
}

std::string receipt_text(const Receipt& receipt) {
  const SecondsReceipt& s = receipt.seconds;
  std::string text = media_lines(receipt.media, true);
  text += fmt::format("  tokens: {} prompt ({} visual, {} before pruning; {} cached), {} answer\n",
                      receipt.prompt_tokens, receipt.visual_tokens_kept, receipt.visual_tokens,
                      receipt.cached_tokens, receipt.completion_tokens);
  if (receipt.drafted_tokens > 0)
    text += fmt::format("  prompt look-up: {} tokens guessed, {} right\n", receipt.drafted_tokens,
                        receipt.accepted_tokens);
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
  text += fmt::format("  memory: {:.0f} MiB at the peak ({:.0f} weights, {:.0f} cache, {:.0f} work)\n",
                      std::ceil(mib(plan.peak_ram_bytes)), mib(plan.weight_bytes), mib(plan.kv_bytes),
                      mib(plan.work_bytes));
  // Of small models other things than reading the weights decide.
  const double rate = 1 / plan.token_seconds;
  text += fmt::format(
      "  first token: about {:.1f} s here ({:.1f} of them decoding and resizing), then {} tokens/s\n",
      plan.first_token_seconds, plan.decode_seconds,
      rate > 100 ? "over 100" : fmt::format("about {:.2g}", rate));
  for (const std::string& note : plan.notes) text += fmt::format("  does not fit: {}\n", printable(note));
  return text;
}

}  // namespace vl3::cli
