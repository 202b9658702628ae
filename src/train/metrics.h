// What a run says of itself each step: as JSON (a line of train_log.jsonl) and as a line for a terminal. No
// torch here; nothing is printed here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/json.h"

namespace vl3::train {

/// Answers whose every token was the likeliest one after the right tokens before it.
struct AnswerScore {
  int64_t right = 0, asked = 0;
};
using AnswerScores = std::map<std::string, AnswerScore>;  ///< by kind and level: "scene.colour@one"

/// Adds what was counted elsewhere.
void add_scores(AnswerScores* sum, const AnswerScores& more);

/// One optimizer step; sums and means are over all processes.
struct StepMetrics {
  int64_t step = 0;  ///< 1 for the first
  double epoch = 0;
  double loss = 0;                  ///< mean over labelled tokens
  std::optional<double> grad_norm;  ///< before clipping
  std::optional<double> llm_lr, mm_projector_lr, vision_encoder_lr;
  int64_t samples = 0, tokens = 0, labelled_tokens = 0;  ///< of the step
  int64_t total_tokens = 0;                              ///< since the run began
  double step_s = 0;                                     ///< wall-clock seconds
  double data_wait_s = 0;                                ///< of these, waiting for samples
  int64_t bad_samples = 0;                               ///< since the run began
  uint64_t peak_bytes = 0;                               ///< of this process; 0 = not measured
  AnswerScores answers;  ///< of generated questions, since the last step that was logged; of this process
  double tokens_per_s() const { return step_s > 0 ? static_cast<double>(tokens) / step_s : 0; }
};

/// Keys are the members, with tokens_per_s; what is unset is left out. Non-finite numbers become strings
/// ("nan").
OrderedJson to_json(const StepMetrics& metrics);

/// "7.3 s", "1:02:03" or "3d 1:02:03"; "?" for what is no number of seconds.
std::string duration_text(double seconds);

/// "  120/1000  12%  loss 1.2345  3.1k tok/s  ETA 1:02:03" with a bar in front where `width` has room for it.
/// @param first_step  step this process began with (0 for a fresh run); @param elapsed_s  since then.
std::string progress_text(const StepMetrics& metrics, int64_t total_steps, int64_t first_step,
                          double elapsed_s, int width);

}  // namespace vl3::train
