// When an answer ends, and which of its text may be shown meanwhile. Text in, text out: it sees the decoded
// stream token by token and holds back only what could still turn out to be the beginning of a stop string.
// One StopCondition serves one sequence and is not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vl3::sampling {

enum class FinishReason {
  kStop,        ///< an end-of-sequence token or a stop string
  kLength,      ///< max_tokens reached
  kCancelled,   ///< the caller asked to stop
  kRepetition,  ///< the loop guard
};

/// "stop", "length", "cancelled", "repetition".
const char* finish_reason_name(FinishReason reason);

/// Ends an answer that repeats one span of tokens over and over, off by default because tables, dotted lines
/// and long arrays repeat rightly. Spans that change a little every time (counting up) are not seen.
struct LoopGuardOptions {
  bool enabled = false;
  int64_t max_span = 64;     ///< longest repeated span looked for, in tokens; 1..1024
  int64_t min_repeats = 8;   ///< the span must stand this often in a row …; 2 or more
  int64_t min_tokens = 128;  ///< … and the repeats must cover this many tokens
};

/// Counts, a span length at a time, how many of the last tokens equal the token one span before. O(max_span)
/// a token.
class LoopGuard {
 public:
  /// @throws Error(kInvalidArgument) for options outside their range.
  explicit LoopGuard(const LoopGuardOptions& options);

  struct Loop {
    int64_t span;     ///< tokens
    int64_t repeats;  ///< whole spans in a row
  };
  /// The loop that this token completes, the shortest span first; nothing while disabled.
  std::optional<Loop> push(int64_t id);

 private:
  LoopGuardOptions options_;
  std::vector<int64_t> recent_;  ///< ring of the last max_span ids
  std::vector<int64_t> equal_;   ///< [s - 1]: how many tokens in a row equalled the one s before
  int64_t count_ = 0;
};

struct StopOptions {
  std::vector<int64_t> eos_token_ids = {};  ///< any of them ends the answer; their text is not part of it
  std::vector<std::string> stop = {};       ///< up to 64 strings of 1..1024 bytes
  int64_t max_tokens = 1024;  ///< tokens generated at most, the end-of-sequence token counted; >= 1
  int64_t min_tokens = 0;     ///< no end-of-sequence token before so many tokens; 0..max_tokens
  LoopGuardOptions loop_guard = {};
};

class StopCondition {
 public:
  /// @throws Error(kInvalidArgument) for an option outside its range, with its value.
  explicit StopCondition(StopOptions options);

  /// Masks the end-of-sequence tokens while fewer than min_tokens were pushed. Ids outside logits are
  /// ignored.
  void apply_min_tokens(std::span<float> logits) const;

  struct Step {
    std::string text;  ///< may be shown now; pieces joined are the answer
    std::optional<FinishReason> finish;
    std::string
        detail;  ///< what ended it: the stop string, "token 151645", "8 repeats of 12 tokens"; else empty
  };
  /// @param id    the generated token.
  /// @param text  what the streaming decoder released for it: whole UTF-8 characters, often empty. For an
  ///   end-of-sequence token, which has no text: what the decoder still held.
  /// Stop strings are found wherever tokens divide them; the first to be completed counts, of several
  /// completed by the same byte the longest. The stop string and what follows are left out. Where one token
  /// gives several reasons, the first holds of: end of sequence, stop string, loop, length.
  /// @throws Error(kInvalidArgument) once the answer is finished.
  Step push(int64_t id, std::string_view text);

  /// Ends the answer from outside (cancelled); gives the text that was held back.
  /// @throws Error(kInvalidArgument) once the answer is finished.
  Step finish(FinishReason reason);

  int64_t num_tokens() const { return num_tokens_; }
  bool finished() const { return finished_; }

 private:
  bool add_text(std::string_view text, Step& step);
  void end(Step& step, FinishReason reason);

  StopOptions options_;
  LoopGuard guard_;
  std::string held_;  ///< text not shown yet: a beginning of some stop string
  int64_t num_tokens_ = 0;
  bool finished_ = false;
};

}  // namespace vl3::sampling
