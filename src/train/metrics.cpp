#include "train/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vl3::train {
namespace {

OrderedJson finite(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

std::string short_number(double value) {
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  return value >= 1e3 ? fmt::format("{:.1f}k", value / 1e3) : fmt::format("{:.0f}", value);
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e15) return "?";
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s >= 86400) return fmt::format("{}d {}:{:02}:{:02}", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

OrderedJson to_json(const StepMetrics& metrics) {
  OrderedJson json = {
      {"step", metrics.step}, {"epoch", finite(metrics.epoch)}, {"loss", finite(metrics.loss)}};
  const auto add = [&json](const char* key, const std::optional<double>& value) {
    if (value) json[key] = finite(*value);
  };
  add("grad_norm", metrics.grad_norm);
  add("llm_lr", metrics.llm_lr);
  add("mm_projector_lr", metrics.mm_projector_lr);
  add("vision_encoder_lr", metrics.vision_encoder_lr);
  json["samples"] = metrics.samples;
  json["tokens"] = metrics.tokens;
  json["labelled_tokens"] = metrics.labelled_tokens;
  json["total_tokens"] = metrics.total_tokens;
  json["tokens_per_s"] = finite(metrics.tokens_per_s());
  json["step_s"] = finite(metrics.step_s);
  json["data_wait_s"] = finite(metrics.data_wait_s);
  json["bad_samples"] = metrics.bad_samples;
  if (metrics.peak_bytes > 0) json["peak_bytes"] = metrics.peak_bytes;
  for (const auto& [kind, score] : metrics.answers) json["answers"][kind] = {score.right, score.asked};
  return json;
}

void add_scores(AnswerScores* sum, const AnswerScores& more) {
  for (const auto& [kind, score] : more) {
    (*sum)[kind].right += score.right;
    (*sum)[kind].asked += score.asked;
  }
}

std::string progress_text(const StepMetrics& metrics, int64_t total_steps, int64_t first_step,
                          double elapsed_s, int width) {
  const double share =
      total_steps > 0
          ? std::clamp(static_cast<double>(metrics.step) / static_cast<double>(total_steps), 0.0, 1.0)
          : 0;
  const auto done = static_cast<double>(metrics.step - first_step);
  const double eta_s =
      done > 0 ? elapsed_s / done * static_cast<double>(std::max<int64_t>(0, total_steps - metrics.step))
               : -1;
  std::string text =
      fmt::format("{}/{} {:3.0f}%  loss {:.4f}  {} tok/s  ETA {}", metrics.step, total_steps, 100 * share,
                  metrics.loss, short_number(metrics.tokens_per_s()), duration_text(eta_s));
  if (metrics.bad_samples > 0) text += fmt::format("  {} bad", metrics.bad_samples);
  const int room = std::min(30, width - static_cast<int>(text.size()) - 4);
  if (room >= 8) {
    const auto filled = static_cast<size_t>(std::floor(share * room));
    text = fmt::format("[{}{}] {}", std::string(filled, '#'),
                       std::string(static_cast<size_t>(room) - filled, '.'), text);
  }
  if (width > 0 && text.size() >= static_cast<size_t>(width)) text.resize(static_cast<size_t>(width) - 1);
  return text;
}

}  // namespace vl3::train
